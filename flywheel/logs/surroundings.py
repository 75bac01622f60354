"""What stands around an exchange in a log line: who, when, of which application and prompt."""

from typing import Any

from flywheel.logs.exchange import CONVERSATION_IDS, take_int, take_moment, take_text


def around(rest: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """The columns that the keys around an exchange give; each key that is used is removed from `rest`."""
    free: Any = rest.get("metadata")
    parameters = request["parameters"]
    named = parameters.get("user")
    user = take_text(rest, "user_id", "user", "end_user") or (named if isinstance(named, str) and named else None)
    prompt = rest.pop("prompt_template") if isinstance(rest.get("prompt_template"), dict) else {}
    found = {
        "conversation_id": take_text(rest, *CONVERSATION_IDS)
        or take_text(dict(free) if isinstance(free, dict) else {}, *CONVERSATION_IDS),
        "turn": take_int(rest, "turn_index", "turn"),
        "user": user,
        "occurred_at": take_moment(rest),
        "app": take_text(rest, "app", "workload_id", "application"),
        "prompt_name": take_text(prompt, "name") or take_text(rest, "prompt_name", "prompt_template"),
        "prompt_version": take_text(prompt, "version") or take_text(rest, "prompt_version"),
        "environment": take_text(rest, "environment", "env"),
        "latency_ms": take_number(rest, "latency_ms"),
    }
    if prompt:
        rest["prompt_template"] = prompt
    return found


def take_number(rest: dict[str, Any], key: str) -> float | None:
    """Remove a number and return it; None, and nothing removed, where it is none."""
    value = rest.get(key)
    return float(rest.pop(key)) if isinstance(value, int | float) and not isinstance(value, bool) else None
