"""Tool calls whose arguments do not fit the tool's schema."""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Literal

import orjson
import polars as pl

from flywheel.kinds import Filter
from flywheel.records import reply


class SchemaViolation(Filter, frozen=True):
    """Reject a reply that calls an offered tool with arguments its JSON Schema does not allow: one missing that is required,
    of the wrong type, outside an enumeration, unknown where further ones are forbidden.

    Not judged: a tool that was not offered and arguments that are no JSON object (see invalid_tool_call), and a schema that
    is itself invalid, points outside itself or names properties by pattern.
    """

    use: Literal["schema_violation"] = "schema_violation"

    def reject(self) -> pl.Expr:
        both = pl.struct(calls=reply().struct.field("tool_calls"), tools=pl.col("tools"))
        return both.map_batches(_violations, return_dtype=pl.Boolean, is_elementwise=True)


def _violations(both: pl.Series) -> pl.Series:
    """For each pair of tool calls and offered tools (both JSON or null), whether a call violates its schema."""
    pairs = zip(both.struct.field("calls").to_list(), both.struct.field("tools").to_list(), strict=True)
    verdicts = [
        calls is not None and tools is not None and any(_violates(*call, tools) for call in _calls(calls))
        for calls, tools in pairs
    ]
    return pl.Series(both.name, verdicts, dtype=pl.Boolean)


def _violates(name: str, arguments: Mapping[str, Any], tools: str) -> bool:
    from referencing.exceptions import Unresolvable  # loaded when used: definitions load without it

    fits = _schemas(tools).get(name)
    try:
        return fits is not None and not fits.is_valid(arguments)
    except (Unresolvable, RecursionError):
        return False


def _calls(tool_calls: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and arguments of each function call that has an object of arguments."""
    calls = _read(tool_calls)
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            arguments = _read(function.get("arguments"))
            if isinstance(arguments, dict):
                yield function["name"], arguments


@lru_cache(maxsize=512)
def _schemas(tools: str) -> dict[str, Any]:
    """Validator of each offered function whose schema can be judged by. Older logs give the function without a wrapper."""
    offered = _read(tools)
    entries = [t.get("function") or t for t in offered if isinstance(t, dict)] if isinstance(offered, list) else []
    named = {e["name"]: e.get("parameters") for e in entries if isinstance(e, dict) and isinstance(e.get("name"), str)}
    return {name: validator for name, schema in named.items() if (validator := _validator(schema)) is not None}


def _validator(schema: Any) -> Any:
    """A validator that fetches nothing and whose patterns cannot run for ever; null where the schema cannot be judged by."""
    from jsonschema.exceptions import SchemaError  # loaded when used: definitions load without it
    from referencing import Registry

    if not isinstance(schema, dict) or b'"patternProperties"' in orjson.dumps(schema):
        return None
    try:
        _kind().check_schema(schema)
    except (SchemaError, RecursionError):
        return None
    return _kind()(schema, registry=Registry())


@cache
def _kind() -> Any:
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[Any]:
        # Rust's engine takes time linear in the text; a pattern it does not know judges nothing.
        if isinstance(instance, str) and pl.Series([instance]).str.contains(wanted, strict=False).item() is False:
            yield ValidationError(f"does not match {wanted!r}")

    return extend(Draft202012Validator, {"pattern": pattern})


def _read(text: Any) -> Any:
    """The JSON value, or null where it cannot be read."""
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None
