"""The usual line of a log is read in one go, to the very row that the way for any line gives."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import Unreadable
from flywheel.logs.usual_call import usual_row
from flywheel.records import CONVERSATIONS, MESSAGE_FIELDS
from flywheel.sources.openai_chat import OpenAIChat

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]
USUAL: dict[str, Any] = {
    "id": "r1",
    "timestamp": "2026-03-02T00:17:30.433Z",
    "user_id": "ann",
    "session_id": "s",
    "turn_index": 1,
    "app": "p",
    "environment": "prod",
    "prompt_template": {"name": "p", "version": "v1"},
    "request": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": None, "tool_calls": CALLS},
            {"role": "tool", "tool_call_id": "c", "content": "7"},
        ],
        "temperature": 0.2,
        "tools": TOOLS,
    },
    "response": {
        "id": "c1",
        "object": "chat.completion",
        "created": 1772410650,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 84, "completion_tokens": 47, "total_tokens": 131},
    },
    "latency_ms": 1036,
    "status": "ok",
    "metadata": {"language": "en"},
    "further": [1],
}
OTHERS = (
    None,
    True,
    0,
    1,
    2**31,
    2**64 - 1,
    1.5,
    "",
    "x",
    "ok",
    "error",
    [],
    {},
    ["x"],
    {"name": "n"},
    [USUAL["response"]],
)
NAMES = (
    "user",
    "end_user",
    "workload_id",
    "env",
    "turn",
    "prompt_name",
    "prompt_version",
    "thread_id",
    "request_id",
    "created_at",
)


def any_row(line: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The rows that the way for any line gives; None where it refuses the line."""
    try:
        return OpenAIChat(use="openai_chat").read_any(copy.deepcopy(line))
    except Unreadable:
        return None


def same(line: dict[str, Any]) -> bool:
    """Assert that a line is left alone or read alike, and left as it was. Returns whether it was read."""
    before = json.dumps(line)
    usual = usual_row(line)
    assert json.dumps(line) == before
    if usual is None:
        return False
    (row,) = any_row(line) or [None]
    assert row is not None, "read what is to be refused"
    assert {c: usual.get(c) for c in CONVERSATIONS} == {c: row.get(c) for c in CONVERSATIONS}
    assert all(tuple(m) == MESSAGE_FIELDS for m in usual["messages"])
    return True


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [p for key, v in inner for p in places(v, (*path, key))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """The container of the value at a path."""
    for step in path[:-1]:
        value = value[step]
    return value


@pytest.mark.parametrize(
    "further",
    [
        {},
        {"timestamp": "2026-03-02 00:17:30+09:00"},
        {"timestamp": "2026-03-02"},
        {"metadata": {}},
        {"request": USUAL["request"] | {"model": "another"}},
        {"request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]}},
        {"response": USUAL["response"] | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}},
        {"response": USUAL["response"] | {"usage": None}},
        {"response": {k: v for k, v in USUAL["response"].items() if k != "usage"}},
        {"response": USUAL["response"] | {"choices": [USUAL["response"]["choices"][0] | {"logprobs": None}]}},
    ],
)
def test_usual_lines_are_read_in_one_go(further):
    assert same(USUAL | further)


@pytest.mark.parametrize(
    "absent", ["session_id", "user_id", "app", "environment", "turn_index", "prompt_template", "latency_ms", "status"]
)
def test_what_is_not_there_is_null(absent):
    assert same({k: v for k, v in USUAL.items() if k != absent})


@pytest.mark.parametrize(
    "further",
    [{"status": "error"}, {"response": None}, {"timestamp": 1772410650}, {"app": None}, {"id": 7}, {"user_id": ""}],
)
def test_what_is_unusual_is_left(further):
    assert usual_row(USUAL | further) is None


@pytest.mark.parametrize("path", places(USUAL))
def test_any_value_in_any_place_and_any_key_taken_out(path):
    for other in OTHERS:
        line = copy.deepcopy(USUAL)
        at(line, path)[path[-1]] = copy.deepcopy(other)
        same(line)
    line = copy.deepcopy(USUAL)
    del at(line, path)[path[-1]]
    same(line)


@given(
    st.sets(st.sampled_from(sorted(USUAL.keys() - {"request", "response"}))),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", 3, None, "2026-01-01"]), max_size=3),
    st.sampled_from([{}, {"thread_id": "t"}, {"session_id": 3}, "x", None]),
    st.randoms(use_true_random=False),
)
def test_further_names_of_the_same_things(absent, further, free, random):
    line = {k: v for k, v in USUAL.items() if k not in absent} | further | {"metadata": free}
    keys = list(line)
    random.shuffle(keys)
    same({k: line[k] for k in keys})
