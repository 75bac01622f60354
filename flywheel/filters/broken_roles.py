"""Conversations whose messages do not follow one another as a chat's must."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson
import polars as pl

from flywheel.kinds import Filter

SPOKEN = {"system": "s", "developer": "s", "user": "u", "assistant": "a", "tool": "t"}


class BrokenRoles(Filter, frozen=True):
    """Reject a conversation whose roles are out of order.

    System and developer messages come first, if at all; no other role than theirs, user, assistant and tool is known; a tool
    message answers a call that is still open; every call is answered before anyone else speaks; the assistant is last, and
    is not alone.
    """

    use: Literal["broken_roles"] = "broken_roles"

    def reject(self) -> pl.Expr:
        roles = pl.col("messages").list.eval(
            pl.element().struct.field("role").replace_strict(SPOKEN, default="?", return_dtype=pl.String)
        )
        order = roles.list.join("").fill_null("?")
        tied = pl.col("messages").map_batches(_tool_messages_untied, return_dtype=pl.Boolean, is_elementwise=True)
        return ~order.str.contains(r"^s*[uat]*a$") | (order.str.len_chars() < 2) | tied


def _tool_messages_untied(conversations: pl.Series) -> pl.Series:
    """For each conversation, whether a tool message answers no open call or a call stays open while others speak."""
    ties = pl.element().struct.field("tool_calls").is_not_null() | (pl.element().struct.field("role") == "tool")
    table = conversations.alias("messages").to_frame()
    concerned = table.select(pl.col("messages").list.eval(ties.any()).list.first().fill_null(False)).to_series()
    untied = [bool(has) and _untied(conversations[at]) for at, has in enumerate(concerned.to_list())]
    return pl.Series(conversations.name, untied, dtype=pl.Boolean)


def _untied(messages: Sequence[Mapping[str, Any]]) -> bool:
    pending: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in pending:
                return True
            pending.discard(message["tool_call_id"])
        elif pending:
            return True
        elif message["role"] == "assistant":
            pending = _call_ids(message["tool_calls"])
    return False


def _call_ids(tool_calls: str | None) -> set[str]:
    """Ids of the calls in a message; none where the JSON cannot be read."""
    try:
        calls = orjson.loads(tool_calls or "[]")
    except orjson.JSONDecodeError:
        return set()
    return (
        {c["id"] for c in calls if isinstance(c, dict) and isinstance(c.get("id"), str)}
        if isinstance(calls, list)
        else set()
    )
