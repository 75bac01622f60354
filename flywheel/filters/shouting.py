"""Replies in capital letters."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply


class Shouting(Filter, frozen=True):
    """Do not imitate a reply that is mostly in capitals. One with code in backticks stays, and so do scripts without capitals."""

    use: Literal["shouting"] = "shouting"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    needs: ClassVar[tuple[str, ...]] = ("capital_share", "letters")
    max_share: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of the letters that are ASCII capitals."""
    min_letters: int = Field(default=40, ge=1)
    """Shorter replies are left alone: "NASA, ESA and JAXA" is an answer."""

    def reject(self) -> pl.Expr:
        loud = (pl.col("capital_share") > self.max_share) & (pl.col("letters") >= self.min_letters)
        return loud & ~last_reply().str.contains("`", literal=True)
