"""Replies with nothing in them."""

from typing import Literal

import polars as pl

from flywheel.kinds import Filter
from flywheel.records import last_reply, reply


class EmptyReply(Filter, frozen=True):
    """Reject a conversation whose last message has no text but white space, calls no tool and is no stated refusal."""

    use: Literal["empty_reply"] = "empty_reply"

    def reject(self) -> pl.Expr:
        silent = last_reply().str.strip_chars() == ""
        acts = ~reply().struct.field("tool_calls").fill_null("[]").is_in(["", "[]", "null"])
        refuses = reply().struct.field("refusal").fill_null("") != ""
        return silent & ~acts & ~refuses
