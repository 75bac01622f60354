"""Which passages of a reply other rows hold too."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import last_reply
from flywheel.texts.passages import sketch, span_sketch


class SharedPassages(Signal, frozen=True):
    """How much of a reply is passages that rows hold in common, and how widely the commonest of them is spread.

    `passage_share` is the share of the reply in passages that at least `min_documents` rows hold, itself among them.
    `passage_rows` counts the rows that hold its commonest passage (1 where no other does, 0 without any passage), and
    `passage_first` is the smallest id among them, null where the share is 0. Case, spacing and punctuation do not count;
    blocks of code are left out.
    """

    use: Literal["shared_passages"] = "shared_passages"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    on_request: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset({"passage_first"})
    decided_later: ClassVar[frozenset[str]] = frozenset({"min_documents"})
    gives: ClassVar[Mapping[str, Any]] = {
        "passage_share": pl.Float64,
        "passage_rows": pl.Int64,
        "passage_first": pl.String,
    }
    level: Literal["document", "paragraph", "sentence", "span"] = "paragraph"
    """What is compared: whole replies, paragraphs, sentences, or any `span` words in a row."""
    min_documents: int = Field(default=3, ge=2)
    """Rows that hold a passage from which it counts as shared."""
    min_letters: int = Field(default=40, ge=1)
    """Letters and digits of the shortest passage that counts; of spans, words do."""
    span: int = Field(default=50, ge=2, le=1000)
    """Words of a span that is always found; at most half as many may be enough."""

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = rows.select("id", text=last_reply()).collect()
        if self.level == "span":
            return span_sketch(read["id"], read["text"], self.span).lazy()
        return sketch(read["id"], read["text"], self.level, self.min_letters).lazy()

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        rows = sketches.sort("id").collect().with_row_index("row")
        each = rows.lazy().filter(pl.col("passages").list.len() > 0)
        each = each.select("row", "passages", "weights").explode("passages", "weights")
        held = each.group_by("passages").agg(rows=pl.len().cast(pl.Int64), first=pl.col("row").min())
        shared = held.filter(pl.col("rows") >= self.min_documents)
        commonest = pl.struct(-pl.col("rows"), -pl.col("weights").cast(pl.Int64), "passages")
        counted = each.join(shared, on="passages").group_by("row")
        shares = counted.agg(weight=pl.col("weights").sum(), first=pl.col("first").sort_by(commonest).first())
        widest = each.join(held.filter(pl.col("rows") > 1), on="passages").group_by("row").agg(pl.col("rows").max())
        told = rows.lazy().join(shares, on="row", how="left").join(widest, on="row", how="left").sort("row").collect()
        alone = pl.when(pl.col("passages").list.len() > 0).then(1).otherwise(0)
        return told.lazy().select(
            "id",
            passage_share=(pl.col("weight") / pl.col("total")).fill_null(0.0),
            passage_rows=pl.coalesce("rows", alone).cast(pl.Int64),
            passage_first=told["id"].gather(told["first"]),
        )
