"""Replies that go round in circles."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class Repetitive(Filter, frozen=True):
    """Reject a conversation in whose reply one sequence of four words, or one line, makes up more than this share, or which
    mostly says again what it said before.

    The measures are Gopher's (Rae et al. 2021, table A1); the bounds are wider, for a reply may hold a table, code or a chorus.
    """

    use: Literal["repetitive"] = "repetitive"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("reply_terms", "top_4gram", "top_line", "repeated_10gram")
    max_share: float = Field(default=0.3, gt=0.0, le=1.0)
    """Share of the reply's words covered by its most frequent four words in a row, or of its lines by the most frequent."""
    max_again: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of the reply's words that belong to ten words in a row which were there before."""
    min_words: int = Field(default=24, ge=8)
    """Shorter replies are left alone: "bye bye" is no loop."""

    def reject(self) -> pl.Expr:
        circling = pl.max_horizontal("top_4gram", "top_line") > self.max_share
        return (pl.col("reply_terms") >= self.min_words) & (circling | (pl.col("repeated_10gram") > self.max_again))
