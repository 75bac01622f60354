"""Tool calls no program could carry out."""

from typing import Any, Literal

import orjson
import polars as pl

from flywheel.kinds import Filter
from flywheel.records import reply


class InvalidToolCall(Filter, frozen=True):
    """Reject a reply that calls a tool with arguments that are no JSON object, or a tool that was not offered.

    Where the log does not say which tools were offered, every name is accepted.
    """

    use: Literal["invalid_tool_call"] = "invalid_tool_call"

    def reject(self) -> pl.Expr:
        both = pl.struct(calls=reply().struct.field("tool_calls"), tools=pl.col("tools"))
        return both.map_batches(_invalid_calls, return_dtype=pl.Boolean, is_elementwise=True)


def _invalid_calls(both: pl.Series) -> pl.Series:
    """For each pair of tool calls and offered tools (both JSON or null), whether one of the calls is invalid."""
    calls, tools = both.struct.field("calls").to_list(), both.struct.field("tools").to_list()
    verdicts = [c is not None and _invalid(_read(c), _names(t)) for c, t in zip(calls, tools, strict=True)]
    return pl.Series(both.name, verdicts, dtype=pl.Boolean)


def _invalid(calls: Any, offered: set[str]) -> bool:
    if calls is None or calls == []:
        return calls is None
    if not isinstance(calls, list):
        return True
    return any(not isinstance(c, dict) or _wrong(c, offered) for c in calls)


def _wrong(call: dict[str, Any], offered: set[str]) -> bool:
    """Whether one call cannot be carried out. A custom tool takes free text, a function takes a JSON object."""
    called = call.get("function") or call.get("custom")
    if not isinstance(called, dict) or not isinstance(called.get("name"), str):
        return True
    if offered and called["name"] not in offered:
        return True
    return "function" in call and not isinstance(_read(called.get("arguments")), dict)


def _names(tools: str | None) -> set[str]:
    """Names of the offered tools; empty where none are known. Older logs give the function without a wrapper."""
    offered = _read(tools)
    entries = (
        [t.get("function") or t.get("custom") or t for t in offered if isinstance(t, dict)]
        if isinstance(offered, list)
        else []
    )
    return {e["name"] for e in entries if isinstance(e, dict) and isinstance(e.get("name"), str)}


def _read(text: Any) -> Any:
    """The JSON value, or null where it cannot be read."""
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None
