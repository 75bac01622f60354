"""The OpenAI chat-completions exchange, from JSON to the columns of a conversation, whatever log line it is wrapped in.

Nothing is lost: what has no column is kept as JSON (`extra`, `parameters`, `response_extra`). Three spellings of one thing
are read as that thing: in a message, a null key and an empty `tool_calls` are absent keys, and `reasoning_content` is
`reasoning`.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from flywheel.errors import Unreadable
from flywheel.records import MESSAGE_FIELDS, canonical

TIMES = ("timestamp", "created_at", "occurred_at", "time", "start_time", "ts")
"""Keys under which log lines say when something happened, most telling first."""

CONVERSATION_IDS = ("session_id", "conversation_id", "thread_id", "chat_id")
"""Keys under which log lines and events name the conversation."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TEXT_PARTS = ("text", "input_text", "output_text")
INT32, INT64 = 2**31, 2**63
NO_FIELDS: dict[str, str | None] = dict.fromkeys(MESSAGE_FIELDS)


def moment(value: Any) -> dt.datetime:
    """A time in UTC from ISO 8601 text (no offset: UTC) or from epoch seconds, milli-, micro- or nanoseconds.

    Raises `Unreadable("bad_timestamp")`.
    """
    try:
        if isinstance(value, str):
            try:
                when = dt.datetime.fromisoformat(value)
            except ValueError:
                value = float(value)
            else:
                return when.astimezone(dt.UTC) if when.tzinfo else when.replace(tzinfo=dt.UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            size = abs(value)
            unit = 1 if size < 1e11 else 1_000 if size < 1e14 else 1_000_000 if size < 1e17 else 1_000_000_000
            whole, rest = divmod(value, unit)
            return EPOCH + dt.timedelta(seconds=whole, microseconds=round(rest * 1_000_000 / unit))
    except (ValueError, OverflowError):
        pass
    raise Unreadable("bad_timestamp", f"found {shown(value)}; expected ISO 8601 or epoch seconds or milliseconds")


def take_moment(line: dict[str, Any], keys: Iterable[str] = TIMES) -> dt.datetime | None:
    """Remove the first of `keys` that the line has, and return its time; None when it has none."""
    for key in keys:
        if line.get(key) is not None:
            return moment(line.pop(key))
    return None


def take_text(line: dict[str, Any], *keys: str) -> str | None:
    """Remove the first of `keys` that holds a non-empty text or a whole number, and return it as text."""
    for key in keys:
        value = line.get(key)
        if isinstance(value, str) and value:
            del line[key]
            return value
        if type(value) is int:
            del line[key]
            return str(value)
    return None


def take_int(line: dict[str, Any], *keys: str, below: int = INT32) -> int | None:
    """Remove the first of `keys` that holds a whole number of the size a column can hold, and return it."""
    for key in keys:
        value = line.get(key)
        if type(value) is int and -below <= value < below:
            del line[key]
            return value
    return None


def native_id(line: Mapping[str, Any]) -> str:
    """The id of a line that has none: a hash of its canonical JSON, the same wherever the line appears."""
    return "sha-" + hashlib.sha256(canonical(line)).hexdigest()[:24]


def to_json(value: Any) -> str | None:
    """JSON text; null where there is nothing to tell."""
    return orjson.dumps(value).decode() if value else None


def shown(value: Any) -> str:
    """A value as an error may show it: its type, and the beginning of its text."""
    return f"{type(value).__name__} {str(value)[:60]!r}"


def as_object(value: Any, what: str) -> dict[str, Any]:
    """A JSON object, also where a log holds it as text. Raises `Unreadable("bad_<what>")`."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as e:
            raise Unreadable(f"bad_{what}", f"{what} is text that is not JSON: {e}") from None
    if not isinstance(value, dict):
        raise Unreadable(f"bad_{what}", f"{what} is {shown(value)}; expected an object")
    return value


def read_request(request: dict[str, Any]) -> dict[str, Any]:
    """`messages`, `tools`, `model` and `parameters` (still an object, `model` left in it) of a request.

    Raises `Unreadable`: no_messages, bad_messages, bad_tools, or what `read_message` raises.
    """
    parameters = dict(request)
    messages, tools = parameters.pop("messages", None), parameters.get("tools")
    if messages is None or messages == []:
        raise Unreadable("no_messages", "the request has no messages")
    if not isinstance(messages, list):
        raise Unreadable("bad_messages", f"messages is {shown(messages)}; expected a list")
    if tools is not None:
        if not isinstance(tools, list):
            raise Unreadable("bad_tools", f"tools is {shown(tools)}; expected a list")
        del parameters["tools"]
    model = parameters.get("model")
    return {
        "messages": [read_message(m) for m in messages],
        "tools": None if tools is None else orjson.dumps(tools).decode(),
        "model": model if isinstance(model, str) else None,
        "parameters": parameters,
    }


def read_message(given: Any) -> dict[str, str | None]:
    """One message, with every field of MESSAGE_FIELDS.

    Raises `Unreadable`: bad_message, no_role, bad_content or bad_tool_calls.
    """
    if not isinstance(given, dict):
        raise Unreadable("bad_message", f"a message is {shown(given)}; expected an object")
    role, content = given.get("role"), given.get("content")
    if not isinstance(role, str) or not role:
        raise Unreadable("no_role", f"the role of a message is {shown(role)}; expected system, user, assistant or tool")
    fields: dict[str, str | None] = NO_FIELDS.copy()
    fields["role"] = role
    if isinstance(content, str):
        fields["content"] = content
    elif isinstance(content, list):
        if not all(isinstance(part, dict) for part in content):
            raise Unreadable("bad_content", "a part of the content is no object")
        texts = [p["text"] for p in content if p.get("type") in TEXT_PARTS and isinstance(p.get("text"), str)]
        fields["content"] = "\n".join(texts) if texts else None
        fields["parts"] = orjson.dumps(content).decode()
    elif content is not None:
        raise Unreadable("bad_content", f"the content of a message is {shown(content)}; expected text, parts or null")
    if len(given) > 2 or "content" not in given:
        _read_further_keys(given, fields)
    return fields


def _read_further_keys(given: dict[str, Any], fields: dict[str, str | None]) -> None:
    extra: dict[str, Any] = {}
    for key, value in given.items():
        if key in ("role", "content") or value is None:
            continue
        if key == "tool_calls":
            if not isinstance(value, list) or not all(isinstance(call, dict) for call in value):
                raise Unreadable("bad_tool_calls", f"tool_calls is {shown(value)}; expected a list of objects")
            fields["tool_calls"] = to_json(value)
        elif key in ("name", "refusal", "tool_call_id", "reasoning") and isinstance(value, str):
            fields[key] = value
        else:
            extra[key] = value
    if isinstance(spelled := extra.get("reasoning_content"), str) and fields["reasoning"] in (None, spelled):
        fields["reasoning"] = extra.pop("reasoning_content")
    fields["extra"] = to_json(extra)


def read_response(response: dict[str, Any]) -> list[dict[str, Any]]:
    """One row of columns per choice: choice, reply (a message), finish_reason, response_id, model, usage, response_extra.

    Without choices (the call failed) there is one row whose reply is None. `response_extra` holds what has no column; under
    its key `choices`, the further keys of this one choice. Raises `Unreadable`: bad_choices, or what `read_message` raises.
    """
    rest = dict(response)
    shared: dict[str, Any] = {
        "response_id": take_text(rest, "id"),
        "model": take_text(rest, "model"),
    }
    if isinstance(usage := rest.get("usage"), dict):
        left = dict(usage)
        shared["prompt_tokens"] = take_int(left, "prompt_tokens", below=INT64)
        shared["completion_tokens"] = take_int(left, "completion_tokens", below=INT64)
        if left or not usage:
            rest["usage"] = left
        else:
            del rest["usage"]
    choices = rest.get("choices")
    if not choices:
        return [shared | {"choice": 0, "reply": None, "response_extra": to_json(rest)}]
    if not isinstance(choices, list) or not all(isinstance(c, dict) for c in choices):
        raise Unreadable("bad_choices", f"choices is {shown(choices)}; expected a list of objects")
    del rest["choices"]
    rows = [shared | _read_choice(choice, i, rest) for i, choice in enumerate(choices)]
    if len({row["choice"] for row in rows}) < len(rows):
        raise Unreadable("bad_choices", "two choices have the same index")
    return rows


def _read_choice(choice: dict[str, Any], position: int, rest: dict[str, Any]) -> dict[str, Any]:
    left = dict(choice)
    if "message" not in left:
        raise Unreadable("bad_choices", "a choice has no message")
    index = position if (given := left.pop("index", None)) is None else given
    if type(index) is not int or not 0 <= index < INT32:
        raise Unreadable("bad_choices", f"the index of a choice is {shown(index)}; expected a number from 0")
    row = {
        "choice": index,
        "reply": read_message(left.pop("message")),
        "finish_reason": take_text(left, "finish_reason"),
    }
    return row | {"response_extra": to_json(rest | {"choices": left} if left else rest)}
