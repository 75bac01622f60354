"""Calls from before or after the time the set is about."""

import datetime as dt
from typing import Literal

import polars as pl
from pydantic import model_validator

from flywheel.kinds import Filter


class OutOfTime(Filter, frozen=True):
    """Reject a call made before the first day or after the last one. Days are those of UTC; a call without a time stays."""

    use: Literal["out_of_time"] = "out_of_time"
    first: dt.date | None = None
    """The first day that counts, such as 2026-01-01."""
    last: dt.date | None = None
    """The last day that counts."""

    @model_validator(mode="after")
    def _says_when(self) -> "OutOfTime":
        if self.first is None and self.last is None:
            raise ValueError("names neither a first nor a last day; expected one of them, such as first = 2026-01-01")
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"the first day, {self.first}, is after the last, {self.last}; no call could stay")
        return self

    def reject(self) -> pl.Expr:
        day = pl.col("occurred_at").dt.convert_time_zone("UTC").dt.date()
        early = day < self.first if self.first else pl.lit(False)
        late = day > self.last if self.last else pl.lit(False)
        return early | late
