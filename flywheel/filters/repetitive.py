"""Replies that go round in circles."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply


class Repetitive(Filter, frozen=True):
    """Reject a conversation in whose reply one sequence of four words, or one line, makes up more than this share."""

    use: Literal["repetitive"] = "repetitive"
    max_share: float = Field(default=0.3, gt=0.0, le=1.0)
    """Share of the reply's words covered by its most frequent four words in a row, or of its lines by the most frequent."""
    min_words: int = Field(default=24, ge=8)
    """Shorter replies are left alone: "bye bye" is no loop."""

    def reject(self) -> pl.Expr:
        text = last_reply()
        words = text.str.extract_all(r"[^ \t\r\n]+")
        ahead = [pl.element().shift(-n) for n in range(4)]
        four = words.list.eval(pl.concat_str(ahead, separator=" ").drop_nulls())
        lines = text.str.split("\n").list.eval(pl.element().str.strip_chars().filter(pl.element().str.len_chars() > 20))
        circling = _most_frequent(four) * 4 > words.list.len() * self.max_share
        echoing = _most_frequent(lines) > lines.list.len() * self.max_share
        return (words.list.len() >= self.min_words) & (
            (circling & (_most_frequent(four) > 2)) | (echoing & (_most_frequent(lines) > 2))
        )


def _most_frequent(values: pl.Expr) -> pl.Expr:
    """How often the most frequent value of each list occurs; 0 for an empty list."""
    return values.list.eval(pl.element().unique_counts().max()).list.first().fill_null(0)
