"""Conversations that ask a benchmark's item in other words."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class BenchmarkParaphrase(Filter, frozen=True):
    """Reject a conversation in which one message is as near to a benchmark's item as its paraphrases are."""

    use: Literal["benchmark_paraphrase"] = "benchmark_paraphrase"
    needs: ClassVar[tuple[str, ...]] = ("benchmark_margin",)
    min_margin: float = Field(default=0.0, ge=-1.0, le=1.0)
    """How far above the signal's threshold its cosine must be; below 0 is stricter."""

    def reject(self) -> pl.Expr:
        return pl.col("benchmark_margin") >= self.min_margin
