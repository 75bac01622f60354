"""Conversations that give a benchmark away."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class BenchmarkLeak(Filter, frozen=True):
    """Reject a conversation in which one message holds more than this share of a benchmark's item: a model trained on it has
    seen the examination."""

    use: Literal["benchmark_leak"] = "benchmark_leak"
    needs: ClassVar[tuple[str, ...]] = ("benchmark_share",)
    max_share: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Share of the item's word sequences; the signal benchmark_overlap says which benchmarks are looked for."""

    def reject(self) -> pl.Expr:
        return pl.col("benchmark_share") > self.max_share
