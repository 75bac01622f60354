"""Replies that trail off line by line."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class EllipsisHeavy(Filter, frozen=True):
    """Reject a conversation in whose reply more than this share of the lines end in an ellipsis (Gopher, Rae et al. 2021): a list of
    teasers cut short."""

    use: Literal["ellipsis_heavy"] = "ellipsis_heavy"
    needs: ClassVar[tuple[str, ...]] = ("ellipsis_share", "lines")
    max_share: float = Field(default=0.3, gt=0.0, le=1.0)
    """Share of the lines with anything on them."""
    min_lines: int = Field(default=5, ge=1)
    """Shorter replies are left alone: "Let me think…" is no teaser."""

    def reject(self) -> pl.Expr:
        return (pl.col("ellipsis_share") > self.max_share) & (pl.col("lines") >= self.min_lines)
