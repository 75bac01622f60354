"""Replies that are nothing but bullets."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class BulletHeavy(Filter, frozen=True):
    """Reject a conversation whose reply is a long list and nothing else.

    Gopher (Rae et al. 2021) rejects a page of which more than 90% of the lines begin with a bullet; in a chat a list is often what was
    asked for, so only long ones are looked at.
    """

    use: Literal["bullet_heavy"] = "bullet_heavy"
    needs: ClassVar[tuple[str, ...]] = ("bullet_share", "lines")
    max_share: float = Field(default=0.95, gt=0.0, le=1.0)
    """Share of the lines that begin with a bullet or a number."""
    min_lines: int = Field(default=60, ge=1)
    """Shorter lists are left alone."""

    def reject(self) -> pl.Expr:
        return (pl.col("bullet_share") > self.max_share) & (pl.col("lines") >= self.min_lines)
