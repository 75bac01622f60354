"""Conversations that speak of another time than the task does."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator

from flywheel.kinds import Filter


class OutOfPeriod(Filter, frozen=True):
    """Reject a conversation all of whose years lie before or after the period; one that speaks of no year stays.

    When a call was made is the business of `out_of_time`.
    """

    use: Literal["out_of_period"] = "out_of_period"
    needs: ClassVar[tuple[str, ...]] = ("first_year", "last_year")
    first: int | None = Field(default=None, ge=1, le=2199)
    """The first year of the period, such as 1801."""
    last: int | None = Field(default=None, ge=1, le=2199)
    """The last year of the period."""

    @model_validator(mode="after")
    def _says_when(self) -> "OutOfPeriod":
        if self.first is None and self.last is None:
            raise ValueError("names neither a first nor a last year; expected one of them, such as first = 1990")
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"the first year, {self.first}, is after the last, {self.last}; no year could be in it")
        return self

    def reject(self) -> pl.Expr:
        early = pl.col("last_year") < self.first if self.first else pl.lit(False)
        late = pl.col("first_year") > self.last if self.last else pl.lit(False)
        return early | late
