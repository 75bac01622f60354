"""Builders for tests: conversations from a few words."""

import datetime as dt
from typing import Any

import polars as pl

from flywheel.records import CONVERSATIONS, digests, message


def chat(*turns: str, id: str = "openai_chat:r1", tools: str | None = None, **columns: Any) -> pl.DataFrame:
    """One complete conversation from `role: text` strings; `**columns` overrides any column.

    A turn may also be a dictionary of message fields, for tool calls and the like.
    """
    messages = []
    for turn in turns:
        if isinstance(turn, dict):
            messages.append(message(turn))
        else:
            role, _, text = turn.partition(": ")
            messages.append(message({"role": role, "content": text}))
    when = columns.pop("occurred_at", dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC))
    row = {
        "id": id,
        **digests(messages, tools),
        "conversation_id": "s1",
        "turn": 0,
        "choice": 0,
        "messages": messages,
        "tools": tools,
        "source": "openai_chat",
        "origin": "logged",
        "model": "gpt-4o-mini",
        "user": "user_1",
        "occurred_at": when,
        "day": when.date(),
        "parents": [],
        "native_id": id.partition(":")[2],
        "status": "ok",
        "finish_reason": "stop",
        "environment": "prod",
        "raw": [{"file": "f" * 64, "line": 1, "offset": 0, "length": 2, "digest": "d" * 64}],
    } | columns
    return pl.DataFrame([{name: row.get(name) for name in CONVERSATIONS}], schema=CONVERSATIONS)


def rows(*frames: pl.DataFrame) -> pl.DataFrame:
    """Several conversations in one frame."""
    return pl.concat(frames)
