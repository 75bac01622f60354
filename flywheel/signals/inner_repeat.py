"""How much of a reply it has said before."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import last_reply
from flywheel.texts.passages import passages


class InnerRepeat(Signal, frozen=True):
    """The share of a reply's letters in paragraphs, or sentences, that the same reply has already said.

    Case, spacing and punctuation do not count, blocks of code are left out. 0 for a reply that says everything once.
    """

    use: Literal["inner_repeat"] = "inner_repeat"
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    gives: ClassVar[Mapping[str, Any]] = {"inner_repeat": pl.Float64}
    level: Literal["paragraph", "sentence"] = "paragraph"
    min_letters: int = Field(default=20, ge=1)
    """Letters and digits below which a passage may come again: "Yes." is no repetition."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = rows.select("id", text=last_reply()).collect().with_row_index("row")
        found = passages(read["text"], self.level).lazy()
        long = found.filter(pl.col("letters") >= self.min_letters).group_by("row", "passage")
        again = long.agg(again=pl.col("letters").sum() - pl.col("letters").first()).group_by("row")
        total = found.group_by("row").agg(total=pl.col("letters").sum())
        counted = total.join(again.agg(pl.col("again").sum()), on="row", how="left")
        shares = counted.select("row", inner_repeat=(pl.col("again") / pl.col("total")).fill_null(0.0))
        joined = read.lazy().select("row", "id").join(shares, on="row", how="left")
        return joined.select("id", pl.col("inner_repeat").fill_null(0.0))
