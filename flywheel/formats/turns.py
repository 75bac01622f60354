"""The turn of several messages, as Llama 3 describes it: each says where it comes from, where it goes and whether it ends the turn.

A chat message of the assistant may think, talk to the user and call several tools at once; here these are messages of their own, to
`self`, to `user` and to each tool. An assistant's turn goes on over the results of tools and ends once, after its last message.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from flywheel.errors import Unreadable
from flywheel.formats.messages import Fields
from flywheel.records import message

PEOPLE = ("system", "developer", "user")
SELF = "self"
RESERVED = (*PEOPLE, "assistant", SELF, "tool")
CALL_KEYS = {"id", "type", "function"}

TurnMessage = dict[str, Any]
"""`from`, `to`, `content`, `end_of_turn`; where they say something also `id` (of a call or of the call a result answers), `refusal`,
`joined` (told in one chat message with the one before), `name`, `parts`, `extra`."""


def turn_messages(messages: Sequence[Fields]) -> list[TurnMessage]:
    """Chat messages as messages with source and destination. Raises `Unreadable` for calls that are no functions."""
    told: list[TurnMessage] = []
    names: dict[str, str] = {}
    for m in messages:
        if m["role"] == "assistant":
            told += _said(m, names)
        elif m["role"] == "tool":
            source = m["name"] or names.get(m["tool_call_id"] or "")
            told.append(_one(source or _unnamed(), "assistant", m["content"], m, {"id": m["tool_call_id"]}, ("extra",)))
        else:
            told.append(_one(m["role"], "assistant", m["content"], m, {}, ("name", "parts", "extra")))
    for n, one in enumerate(told):
        after = told[n + 1]["from"] if n + 1 < len(told) else None
        goes_on = after == one["from"] or (one["from"] == "assistant" and after is not None and after not in PEOPLE)
        one["end_of_turn"] = not goes_on
    return told


def _unnamed() -> str:
    raise Unreadable("tool_reply_without_name")


def _one(source: str, to: str, content: Any, m: Fields, more: Mapping[str, Any], keep: Sequence[str]) -> TurnMessage:
    beside = {k: v for k, v in (*more.items(), *((k, m[k]) for k in keep)) if v is not None}
    return {"from": source, "to": to, "content": content or "", "end_of_turn": False, **beside}


def _said(m: Fields, names: dict[str, str]) -> Iterator[TurnMessage]:
    """The messages that one chat message of the assistant is; the names of the functions it calls are noted by id."""
    parts: list[TurnMessage] = []
    calls = orjson.loads(m["tool_calls"]) if m["tool_calls"] else []
    if m["reasoning"] is not None:
        parts.append({"to": SELF, "content": m["reasoning"]})
    if m["refusal"] is not None:
        parts.append({"to": "user", "content": m["refusal"], "refusal": True})
    if m["content"] is not None and (m["content"] or (not calls and m["refusal"] is None)):
        parts.append({"to": "user", "content": m["content"]})
    for call in calls:
        parts.append(_call(call))
        names[call.get("id") or ""] = parts[-1]["to"]
    if not parts:
        raise Unreadable("empty_assistant_message")
    parts[0] |= {k: m[k] for k in ("name", "parts", "extra") if m[k] is not None}
    for n, part in enumerate(parts):
        yield {"from": "assistant", **part, "end_of_turn": False, **({"joined": True} if n else {})}


def _call(call: Any) -> TurnMessage:
    function = call.get("function") if isinstance(call, dict) and call.get("type") == "function" else None
    if not isinstance(function, dict) or not set(call) <= CALL_KEYS or set(function) != {"name", "arguments"}:
        raise Unreadable("tool_call_is_no_function")
    if function["name"] in RESERVED or not isinstance(function["arguments"], str):
        raise Unreadable("tool_with_the_name_of_a_role" if function["name"] in RESERVED else "arguments_are_no_json")
    return {"to": function["name"], "content": function["arguments"], **({"id": call["id"]} if call.get("id") else {})}


def chat_messages(told: Sequence[TurnMessage]) -> list[dict[str, str | None]]:
    """The chat messages that `turn_messages` made these of, field by field."""
    found: list[dict[str, Any]] = []
    for one in told:
        beside = {k: one.get(k) for k in ("name", "parts", "extra")}
        if one["from"] in PEOPLE:
            found.append({"role": one["from"], "content": one["content"], **beside})
        elif one["from"] != "assistant":
            result = {"role": "tool", "content": one["content"], "name": one["from"], "tool_call_id": one.get("id")}
            found.append(result | {"extra": one.get("extra")})
        else:
            if not one.get("joined"):
                found.append({"role": "assistant", "calls": [], **beside})
            _take(found[-1], one)
    return [
        message({**m, "tool_calls": orjson.dumps(c).decode() if (c := m.pop("calls", None)) else None}) for m in found
    ]


def _take(m: dict[str, Any], one: TurnMessage) -> None:
    """Put a message of the assistant back into its chat message."""
    if one["to"] == SELF:
        m["reasoning"] = one["content"]
    elif one["to"] == "user":
        m["refusal" if one.get("refusal") else "content"] = one["content"]
    else:
        called = {"name": one["to"], "arguments": one["content"]}
        m["calls"].append({**({"id": one["id"]} if "id" in one else {}), "type": "function", "function": called})


def turns_fault(told: Sequence[tuple[str, str, bool]]) -> str | None:
    """What is wrong with (from, to, end of turn) of messages, as a sentence: each turn of the assistant ends once, after its last."""
    for n, (source, to, ends) in enumerate(told):
        after = told[n + 1][0] if n + 1 < len(told) else None
        if source == "assistant":
            goes_on = after is not None and after not in PEOPLE
            if ends == goes_on:
                return f"message {n + 1} {'ends the turn and the assistant goes on' if ends else 'is the last of the turn and does not end it'}."
        elif to != "assistant":
            return f"message {n + 1} goes from {source} to {to}; only the assistant speaks to others."
    return None
