"""The usual line of a chat-completions log, read in one go: four of five lines have this shape, and it costs a third.

Whatever is not exactly as expected is left to `OpenAIChat.read_any`, which reads every shape; where both read a line, both
give the same row (tests/logs/test_usual_call.py).
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import orjson

from flywheel.errors import Unreadable
from flywheel.logs.exchange import CONVERSATION_IDS, INT32, INT64, read_message

USED = frozenset(
    {
        "app",
        "environment",
        "id",
        "latency_ms",
        "prompt_template",
        "request",
        "response",
        "session_id",
        "status",
        "timestamp",
        "turn_index",
        "user_id",
    }
)
"""Keys of a line that have a column: each is as expected or not there, and then nor is what may stand in for it."""
STAND_INS: Mapping[str, frozenset[str]] = {
    "app": frozenset({"app", "workload_id", "application"}),
    "environment": frozenset({"environment", "env"}),
    "turn_index": frozenset({"turn_index", "turn"}),
    "user_id": frozenset({"user_id", "user", "end_user"}),
    "prompt_template": frozenset({"prompt_template", "prompt_name", "prompt_version"}),
}
SESSIONS = frozenset(CONVERSATION_IDS)
OF_REQUEST = frozenset({"messages", "model", "tools"})
OF_RESPONSE = frozenset({"choices", "id", "model"})
OF_CHOICE = frozenset({"finish_reason", "index", "message"})
OF_USAGE = frozenset({"prompt_tokens", "completion_tokens"})
OF_TEMPLATE = {"name", "version"}


class _Unusual(Exception):
    """The line has another shape."""


def usual_row(line: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one row of a usual line; None where the line is in any way unusual, be it readable or not."""
    try:
        return _row(line)
    except (_Unusual, Unreadable, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    request, response = line["request"], line["response"]
    (choice,) = response["choices"]
    get, usage = line.get, response.get("usage")
    status, tools, index = get("status", "ok"), request.get("tools"), choice.get("index", 0)
    if (
        status != "ok"
        or type(index) is not int
        or index
        or "user" in request
        or not (type(tools) is list or (tools is None and "tools" not in request))
    ):
        raise _Unusual
    messages = [_message(m) for m in request["messages"]]
    if not messages:
        raise _Unusual
    messages.append(_message(choice["message"]))
    model, asked = _text(response["model"]), _text(request["model"])
    prompt_name, prompt_version = _template(line)
    sent = {k: v for k, v in request.items() if k not in OF_REQUEST}
    if model != asked:  # as it stood, `model` among the others
        sent = {k: v for k, v in request.items() if k != "messages" and k != "tools"}
    further = {k: v for k, v in response.items() if k not in OF_RESPONSE}
    prompt_tokens = completion_tokens = None
    if usage is not None:
        prompt_tokens, completion_tokens = _count(usage["prompt_tokens"]), _count(usage["completion_tokens"])
        if len(usage) > 2:
            further["usage"] = {k: v for k, v in usage.items() if k not in OF_USAGE}
        else:
            del further["usage"]
    if len(choice) > 2 + ("index" in choice):
        further["choices"] = {k: v for k, v in choice.items() if k not in OF_CHOICE}
    rest = {k: v for k, v in line.items() if k not in USED}
    return {
        "native_id": _text(line["id"]),
        "conversation_id": _session(line),
        "turn": _turn(line),
        "user": _named(line, "user_id"),
        "occurred_at": _moment(line["timestamp"]),
        "app": _named(line, "app"),
        "prompt_name": prompt_name,
        "prompt_version": prompt_version,
        "environment": _named(line, "environment"),
        "latency_ms": _latency(line),
        "status": "ok",
        "metadata": orjson.dumps(rest).decode() if rest else None,
        "response_id": _text(response["id"]),
        "model": model,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "choice": 0,
        "finish_reason": _text(choice["finish_reason"]),
        "response_extra": orjson.dumps(further).decode() if further else None,
        "messages": messages,
        "tools": None if tools is None else orjson.dumps(tools).decode(),
        "parameters": orjson.dumps(sent).decode() if sent else None,
    }


def _text(value: Any) -> str:
    if type(value) is str and value:
        return value
    raise _Unusual


def _message(given: Any) -> dict[str, str | None]:
    if len(given) == 2:
        role, content = given["role"], given["content"]
        if type(role) is str and role and type(content) is str:
            return {
                "role": role,
                "content": content,
                "name": None,
                "parts": None,
                "reasoning": None,
                "refusal": None,
                "tool_calls": None,
                "tool_call_id": None,
                "extra": None,
            }
    return read_message(given)


def _named(line: Mapping[str, Any], key: str) -> str | None:
    value = line.get(key)
    if type(value) is str and value:
        return value
    if STAND_INS[key].isdisjoint(line):
        return None
    raise _Unusual


def _template(line: Mapping[str, Any]) -> tuple[str | None, str | None]:
    value = line.get("prompt_template")
    if type(value) is dict and value.keys() == OF_TEMPLATE:
        return _text(value["name"]), _text(value["version"])
    if STAND_INS["prompt_template"].isdisjoint(line):
        return None, None
    raise _Unusual


def _session(line: Mapping[str, Any]) -> str | None:
    value = line.get("session_id")
    if type(value) is str and value:
        return value
    free = line.get("metadata")
    if SESSIONS.isdisjoint(line) and (type(free) is not dict or SESSIONS.isdisjoint(free)):
        return None
    raise _Unusual


def _turn(line: Mapping[str, Any]) -> int | None:
    value = line.get("turn_index")
    if type(value) is int and -INT32 <= value < INT32:
        return value
    if STAND_INS["turn_index"].isdisjoint(line):
        return None
    raise _Unusual


def _latency(line: Mapping[str, Any]) -> float | None:
    value = line.get("latency_ms")
    if type(value) is int or type(value) is float:
        return float(value)
    if "latency_ms" not in line:
        return None
    raise _Unusual


def _count(value: Any) -> int:
    if type(value) is int and -INT64 <= value < INT64:
        return value
    raise _Unusual


def _moment(value: Any) -> dt.datetime:
    when = dt.datetime.fromisoformat(value)
    if when.tzinfo is None:
        return when.replace(tzinfo=dt.UTC)
    return when.astimezone(dt.UTC)
