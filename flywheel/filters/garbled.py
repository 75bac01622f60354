"""Replies whose characters were lost on the way."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class Garbled(Filter, frozen=True):
    """Reject a conversation whose reply holds replacement, private-use or control characters, or UTF-8 that was read as Latin-1, in number.

    FineWeb (Penedo et al. 2024) mends such pages; a reply was written by the model as it stands, so it is left out. One broken sign in a
    long reply is no reason.
    """

    use: Literal["garbled"] = "garbled"
    needs: ClassVar[tuple[str, ...]] = ("garbled_share", "reply_chars")
    max_share: float = Field(default=0.01, ge=0.0, le=1.0)
    """Share of the reply's characters."""
    min_found: int = Field(default=3, ge=1)
    """Broken characters from which a reply is garbled, however short it is."""

    def reject(self) -> pl.Expr:
        found = (pl.col("garbled_share") * pl.col("reply_chars")).round()
        return (pl.col("garbled_share") > self.max_share) & (found >= self.min_found)
