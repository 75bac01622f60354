"""Forbidden fields go wherever they are and whatever their case; what belongs to the format stays."""

import json

import pytest

from flywheel.protection.forbidden import drop_fields, forbidden_fields
from flywheel.protection.policy import Policy
from flywheel.records import digests
from tests.build import chat, rows

NAMES = Policy(drop_fields=("zip_code", "Name", "gender")).forbidden
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "find", "arguments": '{"Gender": "f", "q": {"zip_code": 12345, "city": "Ulm"}}'},
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find",
            "parameters": {
                "type": "object",
                "properties": {"gender": {"type": "string"}, "q": {"properties": {"name": {"type": "string"}}}},
                "required": ["gender", "q"],
            },
        },
    }
]
WHOLE = chat(
    'user: {"name": "what I typed"}',
    {"role": "assistant", "tool_calls": json.dumps([CALL])},
    {"role": "tool", "tool_call_id": "c1", "content": '[{"name": "Ada", "age": 36}]'},
    {"role": "assistant", "content": "found", "extra": '{"annotations": [{"gender": "f", "at": 1}]}'},
    tools=json.dumps(TOOLS),
    metadata='{"user":{"gender":"f","plan":"pro"},"GENDER":"f","note":"gender"}',
    parameters='{"temperature":0.1,"response_format":{"json_schema":{"name":"answer"}},"metadata":{"zip_code":"1"}}',
    response_extra='{"usage":{"name":1},"x":[{"name":2}]}',
)


def test_row_151_a_forbidden_field_goes_at_any_depth() -> None:
    clean, made = drop_fields(WHOLE, NAMES)
    row = clean.row(0, named=True)
    assert json.loads(row["metadata"]) == {"user": {"plan": "pro"}, "note": "gender"}
    assert json.loads(row["parameters"])["metadata"] == {}
    assert json.loads(row["response_extra"]) == {"usage": {"name": 1}, "x": [{}]}
    call = json.loads(row["messages"][1]["tool_calls"])[0]
    assert json.loads(call["function"]["arguments"]) == {"q": {"city": "Ulm"}}
    assert json.loads(row["messages"][2]["content"]) == [{"age": 36}]
    assert json.loads(row["messages"][3]["extra"]) == {"annotations": [{"at": 1}]}
    schema = json.loads(row["tools"])[0]["function"]["parameters"]
    assert schema == {"type": "object", "properties": {"q": {"properties": {}}}, "required": ["q"]}
    assert forbidden_fields(clean, NAMES) == dict.fromkeys(NAMES, 0)
    assert sum(forbidden_fields(WHOLE, NAMES).values()) == made["count"].sum() == 10


def test_row_151_the_format_keeps_its_own_fields() -> None:
    row = drop_fields(WHOLE, NAMES)[0].row(0, named=True)
    assert json.loads(row["messages"][1]["tool_calls"])[0]["function"]["name"] == "find"
    assert json.loads(row["tools"])[0]["function"]["name"] == "find"
    assert json.loads(row["parameters"])["response_format"] == {"json_schema": {"name": "answer"}}
    assert row["messages"][0]["content"] == '{"name": "what I typed"}'  # a person's words


def test_row_22_the_receipt_lists_each_row_and_field() -> None:
    made = drop_fields(rows(WHOLE, chat("user: hi", "assistant: hello", id="openai_chat:r2")), NAMES)[1]
    assert set(made["id"]) == {"openai_chat:r1"}
    assert set(made["edit"]) == {"drop_fields"}
    told = {(m, f): n for m, f, n in made.select("message", "field", "count").rows()}
    assert told[(-1, "metadata.gender")] == 2
    assert told[(1, "tool_calls.zip_code")] == told[(2, "content.name")] == told[(-1, "tools.name")] == 1
    assert (made["chars_after"] < made["chars_before"]).all()


def test_digests_are_those_of_the_new_text() -> None:
    row = drop_fields(WHOLE, NAMES)[0].row(0, named=True)
    assert {k: row[k] for k in ("digest", "prompt_digest", "reply_digest")} == digests(row["messages"], row["tools"])


@pytest.mark.parametrize("names", [("zip_code",), ("q", "city")])
def test_only_what_is_named_goes_and_nothing_goes_twice(names: tuple[str, ...]) -> None:
    once, _ = drop_fields(WHOLE, names)
    again, made = drop_fields(once, names)
    assert again.equals(once)
    assert made.is_empty()


def test_rows_without_such_a_field_keep_every_byte() -> None:
    other = chat("user: hi", "assistant: hello", id="openai_chat:r2", metadata='{ "plan" : "pro" }')
    clean, _ = drop_fields(rows(other, WHOLE, other), NAMES)
    assert clean["id"].to_list() == ["openai_chat:r2", "openai_chat:r1", "openai_chat:r2"]
    assert clean[0].equals(other)
    assert drop_fields(WHOLE, ())[0] is WHOLE


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ('{"gender": 1, "a": 2.50}', '{"a":2.5}'),
        ('{"\\u0067ender": 1}', "{}"),
        ("gender: f", "gender: f"),
        ('{"gender": ', '{"gender": '),
        ('{"genders": 1}', '{"genders": 1}'),
    ],
)
def test_results_of_tools(content: str, after: str) -> None:
    frame = chat("user: hi", {"role": "tool", "content": content}, "assistant: ok")
    clean, _ = drop_fields(frame, ("gender",))
    assert clean["messages"][0][1]["content"] == after


def test_a_call_in_the_old_style_keeps_its_name() -> None:
    old = '{"function_call": {"name": "find", "arguments": "{\\"name\\": \\"Ada\\"}"}}'
    frame = chat("user: hi", {"role": "assistant", "extra": old})
    clean, _ = drop_fields(frame, ("name",))
    assert json.loads(clean["messages"][0][1]["extra"]) == {"function_call": {"name": "find", "arguments": "{}"}}
