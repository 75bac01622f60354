"""Which rows mean nearly the same."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from flywheel.choices.split import components
from flywheel.vectors.cosine import Index, cosines, near_pairs
from flywheel.vectors.embedded import Embedded, loaded, stored

SKETCH = pl.Schema(
    {
        "id": pl.String(),
        "system": pl.Binary(),  # hash of the system and developer messages
        "vector": pl.Binary(),  # 16-bit floats; null where there is no text, or none the model reads
    }
)

AT_ONCE = 1 << 20
"""Pairs that wait to be joined."""


class SemanticDuplicate(Embedded, frozen=True):
    """Join rows whose last input and reply, embedded, have a cosine of at least `threshold`, directly or over other rows.

    `semantic_group` is the smallest id of the group, a row's own where it is alone; `semantic_similarity` the highest cosine
    to another member, null where it is alone. Every pair is compared exactly. Of long texts only the beginnings of input and
    reply are compared, half of `characters` each. Calls of tools and answers to their results are alone: their form is alike
    where what they do is not.
    """

    use: Literal["semantic_duplicate"] = "semantic_duplicate"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    compares: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset({"semantic_similarity"})
    decided_later: ClassVar[frozenset[str]] = frozenset({"threshold", "across_system_prompts"})
    gives: ClassVar[Mapping[str, Any]] = {"semantic_group": pl.String, "semantic_similarity": pl.Float64}
    threshold: float | None = Field(default=None, gt=0.0, le=1.0)
    """Cosine from which two rows are duplicates; without it, the one calibrated for the model."""
    across_system_prompts: bool = False
    """Also join rows whose system prompts differ."""

    @model_validator(mode="after")
    def _says_what_is_the_same(self) -> "SemanticDuplicate":
        self.needs_threshold("threshold", self.threshold)
        return self

    @property
    def same(self) -> float:
        """The threshold in force."""
        if self.threshold is not None or self.calibrated is None:
            return float(self.threshold or 1.0)
        return self.calibrated.same

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        instructs = pl.element().struct.field("role").is_in(["system", "developer"])
        told = pl.element().struct.field("content").filter(instructs).fill_null("")
        system = pl.col("messages").list.eval(told).list.join("\n").fill_null("")
        read = rows.select("id", system=system).collect()
        edited = self.edited(rows, last=2)
        half = pl.element().struct.field("content").fill_null("").str.strip_chars().str.slice(0, self.characters // 2)
        called = pl.element().struct.field("tool_calls").is_not_null() | (pl.element().struct.field("role") == "tool")
        words = pl.when(~pl.col("messages").list.eval(called).list.any().fill_null(False))
        texts = edited.select(words.then(pl.col("messages").list.eval(half).list.join("\n"))).to_series()
        vectors = pl.DataFrame({"id": edited["id"], "vector": stored(self.embed(texts))})
        hashes = [hashlib.blake2b(s.encode(), digest_size=8).digest() for s in read["system"].to_list()]
        return (
            read.with_columns(system=pl.Series(hashes, dtype=pl.Binary))
            .join(vectors, on="id", how="left", maintain_order="left")
            .match_to_schema(SKETCH)
            .lazy()
        )

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        rows = sketches.sort("id").collect()
        if self.across_system_prompts:
            rows = rows.with_columns(system=pl.lit(b""))
        # Rows with one vector are one document here: ten thousand copies of a text are no fifty million pairs.
        same = rows.drop_nulls("vector").group_by("system", "vector").agg(pl.col("id").min(), copies=pl.len())
        documents = same.sort("system", "id")
        vectors = loaded(documents["vector"])
        best = np.where(documents["copies"].to_numpy() > 1, 1.0, 0.0)
        group = _Groups(documents.height)
        for start, size in zip(*_runs(documents["system"]), strict=True):
            for pairs in near_pairs(vectors[start : start + size], self.same):
                left, right = pairs.left + start, pairs.right + start
                np.maximum.at(best, left, pairs.cosine)
                np.maximum.at(best, right, pairs.cosine)
                group.join(left, right)
        ids = documents["id"].gather(pl.Series(group.lowest(), dtype=pl.UInt32))
        lowest = documents.select(
            "system", "vector", group=ids, id=documents["id"], best=pl.Series(best, dtype=pl.Float64)
        )
        named = lowest.with_columns(semantic_group=pl.col("id").min().over("group")).drop("id", "group")
        return (
            rows.join(named, on=["system", "vector"], how="left", maintain_order="left")
            .select(
                "id",
                semantic_group=pl.col("semantic_group").fill_null(pl.col("id")),
                semantic_similarity=pl.col("best").replace(0.0, None),
            )
            .lazy()
        )

    def compare(self, sketches: pl.LazyFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        named = pl.concat([pairs.select("id"), pairs.select(id="instead")]).unique()
        there = sketches.join(named.lazy(), on="id", how="semi").drop_nulls("vector").sort("id").collect()
        places = there.select("id", at=pl.int_range(pl.len()))
        both = pairs.join(places, on="id").join(places, left_on="instead", right_on="id", suffix="_kept")
        vectors = loaded(there["vector"])
        told = cosines(vectors, both["at"].to_numpy(), vectors, both["at_kept"].to_numpy())
        return both.select("id", compared=pl.Series(told, dtype=pl.Float64))


def _runs(values: pl.Series) -> tuple[list[int], list[int]]:
    """Where each run of equal values begins, and how long it is; those of one value are left out."""
    runs = pl.DataFrame({"size": values.rle().struct.field("len").cast(pl.Int64)})
    runs = runs.with_columns(start=pl.col("size").cum_sum() - pl.col("size")).filter(pl.col("size") > 1)
    return runs["start"].to_list(), runs["size"].to_list()


class _Groups:
    """Connected components of pairs that come a few at a time; those not settled yet are kept few."""

    def __init__(self, count: int) -> None:
        self.group = np.arange(count, dtype=np.int64)
        self.left: list[Index] = []
        self.right: list[Index] = []
        self.waiting = 0

    def join(self, left: Index, right: Index) -> None:
        """Take these pairs in."""
        self.left.append(left)
        self.right.append(right)
        self.waiting += len(left)
        if self.waiting > AT_ONCE:
            self.lowest()

    def lowest(self) -> Index:
        """The smallest member of each one's group."""
        left = np.concatenate([np.arange(len(self.group)), *self.left])
        right = np.concatenate([self.group, *self.right])
        self.group = components(len(self.group), left, right)
        self.left, self.right, self.waiting = [], [], 0
        return self.group
