"""Replies of signs and hardly a word."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply


class SymbolHeavy(Filter, frozen=True):
    """Reject a conversation whose reply is mostly signs, or whose words mostly hold no letter.

    Gopher (Rae et al. 2021) asks for a letter in 80% of the words and bounds the signs by the words; a chat's tables and sums take
    wider bounds. A reply with code in backticks stays.
    """

    use: Literal["symbol_heavy"] = "symbol_heavy"
    needs: ClassVar[tuple[str, ...]] = ("symbol_share", "lettered_word_share", "reply_chars", "reply_words")
    max_share: float = Field(default=0.6, gt=0.0, le=1.0)
    """Share of the characters that are signs; punctuation, `|` and `-` are none."""
    min_lettered: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the words with a letter below which, among forty words and more, there is no text."""
    min_chars: int = Field(default=60, ge=1)
    """Shorter replies are left alone: "x = 3" is an answer."""

    def reject(self) -> pl.Expr:
        bare = (pl.col("reply_words") >= 40) & (pl.col("lettered_word_share") < self.min_lettered)
        said = (pl.col("symbol_share") > self.max_share) | bare
        return said & (pl.col("reply_chars") >= self.min_chars) & ~last_reply().str.contains("`", literal=True)
