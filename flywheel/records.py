"""The two records everything is made of: one logged model call, and one event of feedback about it.

A *conversation* is one call: the messages sent and, last, the message that came back. `id` says who it is and stays the
same through every dataset; `digest` says what it is and changes with its text. A call that returned several choices is
several rows, told apart by `choice`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import orjson
import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

UTC_TIME = pl.Datetime("us", "UTC")

MESSAGE_FIELDS = (
    "role",
    "content",
    "name",
    "parts",
    "reasoning",
    "refusal",
    "tool_calls",
    "tool_call_id",
    "extra",
)
"""Field by field: `content` is the text (of all text parts, where there are parts); `parts` the JSON of multi-part
content; `reasoning` and `refusal` are kept apart from content; `tool_calls` is JSON whose argument strings are exactly
what the model wrote; `extra` is JSON of every further key of the message."""

MESSAGE = pl.Struct(dict.fromkeys(MESSAGE_FIELDS, pl.String))

RAW_REF = pl.Struct(
    {
        "file": pl.String(),  # sha256 of the raw file
        "line": pl.Int64(),  # from 1
        "offset": pl.Int64(),  # bytes from the start of the (decompressed) file
        "length": pl.Int64(),  # bytes of the line, without its newline
        "digest": pl.String(),  # sha256 of those bytes
    }
)

CONVERSATIONS = pl.Schema(
    {
        "id": pl.String(),  # "source:native-id"
        "digest": pl.String(),  # of prompt and reply together
        "prompt_digest": pl.String(),  # of every message but the last, and the tools
        "reply_digest": pl.String(),  # of the last message
        "conversation_id": pl.String(),  # the session; splits keep it on one side
        "turn": pl.Int32(),
        "choice": pl.Int32(),  # index among the choices of one call
        "messages": pl.List(MESSAGE),
        "tools": pl.String(),  # JSON schemas offered to the model
        "source": pl.String(),
        "origin": pl.String(),  # logged | demonstrated | synthesized | distilled
        "model": pl.String(),  # who wrote the reply
        "user": pl.String(),  # keyed pseudonym
        "occurred_at": UTC_TIME,
        "day": pl.Date(),  # of occurred_at, UTC: the partition
        "parents": pl.List(pl.String),  # empty unless made from other rows
        "native_id": pl.String(),  # the id the application knows the call by; feedback points at it
        "response_id": pl.String(),  # the id the model's server gave
        "status": pl.String(),  # ok | error
        "finish_reason": pl.String(),
        "app": pl.String(),  # application, workload or prompt name: the task axis of most logs
        "prompt_name": pl.String(),
        "prompt_version": pl.String(),
        "environment": pl.String(),
        "prompt_tokens": pl.Int64(),  # as the server counted
        "completion_tokens": pl.Int64(),
        "latency_ms": pl.Float64(),
        "parameters": pl.String(),  # JSON: the request but for model, messages and tools
        "response_extra": pl.String(),  # JSON: the response but for what has a column
        "metadata": pl.String(),  # JSON: every further key of the line
        "half": pl.String(),  # "request" or "response" where a format splits a call over two lines, else null
        "raw": pl.List(RAW_REF),  # the lines this row was read from
    }
)

FEEDBACK = pl.Schema(
    {
        "feedback_id": pl.String(),  # "source:native-id"
        "digest": pl.String(),  # of what was said, without when it arrived
        "target_kind": pl.String(),  # call | conversation
        "target_id": pl.String(),  # as the application names it; resolved when labels are made
        "choice": pl.Int32(),
        "conversation_id": pl.String(),
        "kind": pl.String(),  # one of FEEDBACK_KINDS
        "explicit": pl.Boolean(),  # said by the user, not inferred from behaviour
        "actor_kind": pl.String(),  # end_user | expert | judge | code
        "actor": pl.String(),  # keyed pseudonym
        "value": pl.Float64(),  # thumb: +1 or -1; rating: as given; implicit: +1 good sign, -1 bad sign
        "text": pl.String(),  # comment
        "correction": pl.String(),  # edit, correction, demonstration: the better reply
        "chosen_id": pl.String(),  # choice: the winner; regeneration: the new call
        "others": pl.List(pl.String),  # choice: the losers; ranking: every id, best first
        "occurred_at": UTC_TIME,  # when the user acted
        "received_at": UTC_TIME,  # when it arrived
        "source": pl.String(),
        "metadata": pl.String(),  # JSON: every further key
        "raw": pl.List(RAW_REF),
    }
)

ORIGINS = ("logged", "demonstrated", "synthesized", "distilled")
"""Where a reply comes from: a model in use, a person, a model asked for it on purpose, a stronger model."""

FEEDBACK_KINDS: Mapping[str, bool] = {
    "thumb": True,
    "rating": True,
    "edit": True,
    "correction": True,
    "choice": True,
    "ranking": True,
    "comment": True,
    "regeneration": False,
    "copy": False,
    "abandonment": False,
    "implicit": False,
}
"""Each kind of feedback, and whether the user said it (explicit) or we infer it (implicit)."""

QUARANTINE = pl.Schema(
    {
        "file": pl.String(),
        "line": pl.Int64(),
        "offset": pl.Int64(),
        "reason": pl.String(),
        "detail": pl.String(),
        "raw": pl.Binary(),  # the bytes of the line, unchanged
    }
)

REJECTED = pl.Schema(
    {
        "id": pl.String(),
        "digest": pl.String(),
        "reasons": pl.List(pl.String),  # every one, not only the first
        "instead": pl.String(),  # the id kept in its place, where there is one
        "similarity": pl.Float64(),  # to that row, where it was measured
    }
)

SLIM = tuple(
    name
    for name in CONVERSATIONS
    if name not in ("messages", "tools", "parameters", "response_extra", "metadata", "raw", "half", "parents")
)
"""The columns of a conversation that choices look at: everything but text and free JSON."""


def conform(rows: Frame, schema: pl.Schema) -> Frame:
    """The columns of `schema`, in its order and types; a column that is missing is filled with nulls."""
    have = rows.collect_schema()
    return rows.select(
        [
            (pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype=dtype)).alias(name)
            for name, dtype in schema.items()
        ]
    )


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: the same bytes for the same value, however it was written."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def short_hash(*parts: bytes | str) -> str:
    """128 bits of SHA-256 over the parts, each led by its length so that no two lists of parts collide; 32 hex digits."""
    told: list[bytes] = []
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        told += (len(data).to_bytes(8, "big"), data)
    return hashlib.sha256(b"".join(told)).hexdigest()[:32]


OF_0, OF_32 = (0).to_bytes(8, "big"), (32).to_bytes(8, "big")
"""How `short_hash` leads parts of these lengths."""


def message(fields: Mapping[str, Any]) -> dict[str, str | None]:
    """A message with every field of MESSAGE_FIELDS, in order, null where absent."""
    return {name: fields.get(name) for name in MESSAGE_FIELDS}


in_order: Callable[[Mapping[str, Any]], tuple[str | None, ...]] = itemgetter(*MESSAGE_FIELDS)
"""The fields of a complete message (as `message` makes it), in the order of MESSAGE_FIELDS."""


def message_digest(messages: Sequence[Mapping[str, Any]], tools: str | None = None) -> str:
    """Digest of complete messages and the tools offered with them."""
    return _digest(list(map(in_order, messages)), tools)


def digests(messages: Sequence[Mapping[str, Any]], tools: str | None) -> dict[str, str]:
    """`digest`, `prompt_digest` and `reply_digest` of one conversation."""
    digest, prompt, reply = digests_in_order(list(map(in_order, messages)), tools)
    return {"digest": digest, "prompt_digest": prompt, "reply_digest": reply}


def digests_in_order(messages: list[tuple[str | None, ...]], tools: str | None) -> tuple[str, str, str]:
    """`digest`, `prompt_digest` and `reply_digest` of messages whose fields are already `in_order`."""
    prompt, reply = _digest(messages[:-1], tools), _digest(messages[-1:], None)
    both = hashlib.sha256(b"%b%b%b%b" % (OF_32, prompt.encode(), OF_32, reply.encode()))  # short_hash(prompt, reply)
    return both.hexdigest()[:32], prompt, reply


def _digest(messages: list[tuple[str | None, ...]], tools: str | None) -> str:
    """short_hash(JSON of the messages, tools), spelled out: it is computed twice for each row of every log."""
    said = orjson.dumps(messages)
    if tools:
        return short_hash(said, tools)
    return hashlib.sha256(b"%b%b%b" % (len(said).to_bytes(8, "big"), said, OF_0)).hexdigest()[:32]


def reply() -> pl.Expr:
    """The last message of each conversation, a struct of MESSAGE_FIELDS."""
    return pl.col("messages").list.last()


def last_reply() -> pl.Expr:
    """Text of the last message of each conversation; "" where it has none (a bare tool call, a refusal)."""
    return reply().struct.field("content").fill_null("")


def last_input() -> pl.Expr:
    """Text of the message the reply answers; "" where there is none."""
    return pl.col("messages").list.get(-2, null_on_oob=True).struct.field("content").fill_null("")


def asked() -> pl.Expr:
    """Text of the last message of the user; "" where there is none."""
    by_user = pl.element().struct.field("content").filter(pl.element().struct.field("role") == "user")
    return pl.col("messages").list.eval(by_user).list.last().fill_null("")


def all_text() -> pl.Expr:
    """The text of every message, joined by newlines."""
    return pl.col("messages").list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")


def user_text() -> pl.Expr:
    """The text of the user's messages, joined by newlines."""
    return (
        pl.col("messages")
        .list.eval(
            pl.element().struct.field("content").filter(pl.element().struct.field("role") == "user").fill_null("")
        )
        .list.join("\n")
    )


SET_ASIDE = pl.Schema(
    {
        "id": pl.String(),
        "file": pl.String(),
        "line": pl.Int64(),
        "offset": pl.Int64(),
        "status": pl.String(),  # repeated | id_conflict | waiting (half of a call whose other half has not arrived)
        "kept_id": pl.String(),  # the row that stands for it
    }
)
"""Lines that were read and are no row of their own."""
