"""Replies that say too little."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply, reply


class TooShort(Filter, frozen=True):
    """Reject a conversation whose reply has fewer words than this. A reply that calls a tool may be as short as it likes."""

    use: Literal["too_short"] = "too_short"
    min_words: int = Field(default=1, ge=1)
    """Words, split at white space; "네." is one."""

    def reject(self) -> pl.Expr:
        calls = ~reply().struct.field("tool_calls").fill_null("[]").is_in(["", "[]", "null"])
        return ~_has_words(last_reply(), self.min_words) & ~calls


def _has_words(text: pl.Expr, least: int) -> pl.Expr:
    """Whether a text has so many words. It need not be read further than that, unless they are very many."""
    if least > 100:
        return text.str.count_matches(r"[^ \t\r\n]+") >= least
    return text.str.contains(rf"^[ \t\r\n]*(?:[^ \t\r\n]+[ \t\r\n]+){{{least - 1}}}[^ \t\r\n]")
