"""Which rows say exactly the same."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal


class ExactDuplicate(Signal, frozen=True):
    """Name the group of rows with the same prompt (its system message and tools too) and reply by its smallest id."""

    use: Literal["exact_duplicate"] = "exact_duplicate"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    gives: ClassVar[Mapping[str, Any]] = {"exact_group": pl.String}

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select("id", "digest")

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        return sketches.select("id", pl.col("id").min().over("digest").alias("exact_group"))
