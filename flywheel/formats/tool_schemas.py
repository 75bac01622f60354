"""Arguments of tool calls against the JSON Schema their tool was offered with.

Schemas come from logs, so nothing they say may reach the network or take forever: references are resolved inside the
schema only, and patterns are matched in linear time. A schema with patternProperties, whose patterns cannot be, is not used.
"""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

import orjson
import polars as pl

DEEPEST = 64
"""Levels of nesting of a schema that is looked at; a deeper one cannot be used."""


def faults(schema: Any, arguments: Mapping[str, Any]) -> list[str]:
    """["ARGS_SCHEMA"] where the arguments break the schema, ["TOOL_SCHEMA"] where it cannot be used, else nothing."""
    if schema is None or schema == {}:
        return []
    validator = _validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))
    if validator is None:
        return ["TOOL_SCHEMA"]
    try:
        return [] if validator.is_valid(dict(arguments)) else ["ARGS_SCHEMA"]
    except Exception:  # a reference that leads nowhere or round in circles: many types, all meaning this
        return ["TOOL_SCHEMA"]


@cache
def _kind() -> Any:
    """The validator of JSON Schema 2020-12, but for patterns."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    return extend(Draft202012Validator, {"pattern": _pattern})


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[Any]:
    """A string must contain the pattern. One that Rust's regular expressions do not know demands nothing."""
    from jsonschema import ValidationError

    if isinstance(value, str):
        found = pl.Series([value]).str.contains(pattern, strict=False).item()
        if found is False:
            yield ValidationError("does not match the pattern")


@lru_cache(maxsize=1024)
def _validator(schema: bytes) -> Any:
    from referencing import Registry

    told = orjson.loads(schema)
    if not isinstance(told, dict) or _depth(told) > DEEPEST or "patternProperties" in _words(told):
        return None
    kind = _kind()
    try:
        kind.check_schema(told)
    except Exception:  # whatever is wrong with it: it is no schema
        return None
    return kind(told, registry=Registry())


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(v) for v in inner), default=0)


def _words(value: Any) -> set[str]:
    """Every key in a schema, at any depth."""
    if isinstance(value, dict):
        return set(value).union(*(_words(v) for v in value.values()))
    return set().union(*(_words(v) for v in value)) if isinstance(value, list) else set()
