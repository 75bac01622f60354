import json
import time
from typing import Any

import pytest

from flywheel.filters.schema_violation import SchemaViolation
from tests.build import chat

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["c", "f"]}},
    "required": ["city"],
    "additionalProperties": False,
}


def rejected(arguments: str | None, schema: Any = WEATHER, name: str = "weather", wrapped: bool = True) -> bool:
    function = {"name": "weather", "parameters": schema}
    tools = json.dumps([{"type": "function", "function": function} if wrapped else function])
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    row = chat("user: rain?", {"role": "assistant", "tool_calls": json.dumps([call])}, tools=tools)
    return row.select(SchemaViolation().reject()).item()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"days": 2}', True),  # row 9: a required argument is missing
        ('{"city": 1}', True),
        ('{"city": "서울", "days": 1.5}', True),
        ('{"city": "Seoul", "unit": "k"}', True),
        ('{"city": "Seoul", "wind": true}', True),
        ('{"city": "서울"}', False),
        ('{"city": "Seoul", "days": 1.0, "unit": "f"}', False),
        ("not json", False),  # another filter's business
        ("[1]", False),
        (None, False),
    ],
)
def test_arguments_against_the_schema(arguments, expected):
    assert rejected(arguments) is expected
    assert rejected(arguments, wrapped=False) is expected


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "dict"},
        {"$ref": "http://127.0.0.1:9/never"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"patternProperties": {"^(a+)+$": False}},
        {"properties": {"city": {"pattern": "(?=x)"}}},
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_judged_by_judges_nothing(schema):
    assert rejected('{"city": 1}', schema) is False


def test_a_pattern_made_to_hurt_is_quick():
    began = time.perf_counter()
    assert rejected(json.dumps({"a": "a" * 50_000 + "!"}), {"properties": {"a": {"pattern": "^(a+)+$"}}}) is True
    assert time.perf_counter() - began < 2


def test_tools_not_offered_and_replies_without_calls_are_not_judged():
    assert rejected("{}", name="traffic") is False
    assert chat("user: hi", "assistant: hello").select(SchemaViolation().reject()).item() is False
    assert (
        chat("user: hi", {"role": "assistant", "tool_calls": "{}"}, tools="nonsense")
        .select(SchemaViolation().reject())
        .item()
        is False
    )
