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
        return (last_reply().str.count_matches(r"[^ \t\r\n]+") < self.min_words) & ~calls
