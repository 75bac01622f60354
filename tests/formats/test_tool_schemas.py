"""Arguments against JSON Schemas that come from logs."""

import time

import pytest

from flywheel.formats.tool_schemas import faults

ORDER = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "arguments", "found"),
    [
        (ORDER, {"id": 7}, []),
        (ORDER, {}, ["ARGS_SCHEMA"]),
        (ORDER, {"id": "7"}, ["ARGS_SCHEMA"]),
        (ORDER, {"id": 7, "x": 1}, ["ARGS_SCHEMA"]),
        (None, {"any": 1}, []),
        ({}, {"any": 1}, []),
        ([], {}, ["TOOL_SCHEMA"]),
        ({"type": "objekt"}, {}, ["TOOL_SCHEMA"]),
        (
            {"$defs": {"n": {"type": "integer"}}, "properties": {"id": {"$ref": "#/$defs/n"}}},
            {"id": "x"},
            ["ARGS_SCHEMA"],
        ),
        ({"properties": {"id": {"$ref": "http://127.0.0.1:9/schema"}}}, {"id": 1}, ["TOOL_SCHEMA"]),
        ({"$ref": "#"}, {"id": 1}, ["TOOL_SCHEMA"]),
        ({"patternProperties": {"^(a+)+$": {}}}, {"a": 1}, ["TOOL_SCHEMA"]),
        ({"properties": {"id": {"pattern": "^A[0-9]+$"}}}, {"id": "A7"}, []),
        ({"properties": {"id": {"pattern": "^A[0-9]+$"}}}, {"id": "B7"}, ["ARGS_SCHEMA"]),
        (
            {"properties": {"id": {"pattern": "(?=x)"}}},
            {"id": "y"},
            [],
        ),  # not known to linear-time patterns: demands nothing
    ],
)
def test_row_9_arguments_and_schemas(schema, arguments, found):
    assert faults(schema, arguments) == found


def test_a_pattern_made_to_take_forever_does_not():
    start = time.monotonic()
    assert faults({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 5_000 + "!"}) == ["ARGS_SCHEMA"]
    assert time.monotonic() - start < 5


def test_a_schema_nested_too_deep_is_not_used():
    deep: dict = {}
    for _ in range(100):
        deep = {"not": deep}
    assert faults(deep, {"a": 1}) == ["TOOL_SCHEMA"]
