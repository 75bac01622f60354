"""What lines of published datasets have in common: messages in one of the usual spellings, no call around them, and often no time."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from flywheel.errors import Unreadable
from flywheel.logs.exchange import EPOCH, native_id, read_message, shown, take_text, to_json
from flywheel.logs.surroundings import around

IDS = ("id", "uuid", "prompt_id", "conversation_hash")
ROLES = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}
"""Speakers as ShareGPT and others call them; other words are roles already."""
ORIGINS = ("logged", "observed", "demonstrated", "self_reported", "synthesized", "distilled", "augmented")


def messages_in(value: Any, what: str, role: str) -> list[dict[str, Any]]:
    """Messages from a list of `role` and `content`, or of `from` and `value` (ShareGPT), or from a text, which is one message of
    `role`. Raises `Unreadable`: bad_messages, no_messages, or what `read_message` raises."""
    if isinstance(value, str):
        return [read_message({"role": role, "content": value})]
    if not isinstance(value, list):
        raise Unreadable("bad_messages", f"{what} is {shown(value)}; expected a text or a list of messages")
    if not value:
        raise Unreadable("no_messages", f"{what} has no message")
    return [read_message(_spelled(m)) for m in value]


def _spelled(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    told = dict(message)
    if "from" in told and "role" not in told:
        told["role"], told["content"] = told.pop("from"), told.pop("value", None)
    role = told.get("role")
    return told | ({"role": ROLES[role]} if isinstance(role, str) and role in ROLES else {})


def offered(rest: dict[str, Any]) -> str | None:
    """The tools of a line, a list or JSON of one. Raises `Unreadable("bad_tools")`."""
    tools = rest.pop("tools", None)
    try:
        tools = orjson.loads(tools) if isinstance(tools, str) and tools.strip() else tools or None
    except orjson.JSONDecodeError:
        raise Unreadable("bad_tools", "tools is text that is not JSON") from None
    if tools is not None and not isinstance(tools, list):
        raise Unreadable("bad_tools", f"tools is {shown(tools)}; expected a list")
    return None if tools is None else orjson.dumps(tools).decode()


def named(line: Mapping[str, Any], rest: dict[str, Any]) -> str:
    """The id of a line, else a hash of it; it is taken out of `rest`."""
    return take_text(rest, *IDS) or native_id(line)


def shared_columns(rest: dict[str, Any], origin: str) -> dict[str, Any]:
    """The columns that what stands beside the messages gives: user, application, time; what is left is metadata.

    A dataset that says no time is of 1 January 1970. `origin`: how its rows came about where the line does not say.
    """
    tools = offered(rest)
    told = rest.pop("origin") if rest.get("origin") in ORIGINS else origin
    columns = around(rest, {"parameters": {}})
    columns["occurred_at"] = columns["occurred_at"] or EPOCH
    model = take_text(rest, "model")
    return {**columns, "tools": tools, "origin": told, "model": model, "status": "ok", "metadata": to_json(rest)}


def row(native: str, messages: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> dict[str, Any]:
    """One conversation that ends with the assistant's reply. Raises `Unreadable("no_reply")`."""
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise Unreadable("no_reply", "the conversation does not end with a reply of the assistant to somebody")
    return {**columns, "native_id": native, "choice": 0, "messages": list(messages)}


def preferred(
    native: str, ranked: Sequence[str], columns: Mapping[str, Any], actor_kind: str = "expert"
) -> dict[str, Any]:
    """The event that says which of several rows, by their native ids and best first, is better than which."""
    kind = "choice" if len(ranked) == 2 else "ranking"
    return {
        "native_id": f"{native}:{kind}",
        "kind": kind,
        "explicit": True,
        "target_kind": "call",
        "target_id": ranked[0],
        "conversation_id": columns.get("conversation_id"),
        "actor_kind": actor_kind,
        "actor": None,
        "chosen_id": ranked[0],
        "others": list(ranked[1:]) if kind == "choice" else list(ranked),
        "occurred_at": columns["occurred_at"],
        "received_at": columns["occurred_at"],
    }
