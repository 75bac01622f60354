"""Whatever a line holds, it is a row or a reason, and its frames have the promised columns."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.errors import Unreadable
from flywheel.logs.raw import Line, RawFile
from flywheel.logs.reader import Reader, parsed, said
from flywheel.records import CONVERSATIONS, FEEDBACK
from flywheel.sources import SOURCES

WHEN = "2026-03-02T12:00:00Z"
BODY = {
    "model": "m",
    "user": "ann",
    "tools": [{}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
}
REPLY = {
    "role": "assistant",
    "content": "hello",
    "tool_calls": [{"id": "c"}],
    "reasoning": "so",
    "refusal": "no",
    "x": 1,
}
ANSWER = {
    "id": "c1",
    "created": 1772452800,
    "model": "m-1",
    "usage": {"prompt_tokens": 1},
    "choices": [{"index": 0, "message": REPLY}],
}
EVENT = {"event_id": "e", "type": "thumbs", "value": "up", "request_id": "r1", "user_id": "ann", "created_at": WHEN}


def reader() -> Reader:
    return Reader(RawFile("f" * 64, "f.jsonl", 1, 1, Path("f.jsonl")), [cls() for cls in SOURCES.values()], b"s" * 32)


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (b"", 0, "blank_line"),
        (b"\xef\xbb\xbf", 0, "blank_line"),
        (b"\xef\xbb\xbf{}", 9, "not_json"),
        (b"{}}", 0, "not_json"),
        (b'"\xff"', 0, "invalid_utf8"),
        (b'"text"', 0, "not_an_object"),
        (b"7", 0, "not_an_object"),
    ],
)
def test_what_is_not_one_object(data, offset, reason):
    with pytest.raises(Unreadable) as caught:
        parsed(Line(1, offset, data))
    assert caught.value.reason == reason


def test_one_object():
    assert parsed(Line(1, 0, b'\xef\xbb\xbf {"a": 1}\r')) == {"a": 1}


def test_what_was_said_does_not_depend_on_the_id_or_the_arrival():
    (row,) = SOURCES["feedback_events"]().read(EVENT)
    (same,) = SOURCES["feedback_events"]().read(EVENT | {"event_id": "f", "received_at": "2026-03-09T00:00:00Z"})
    assert said(row) == said(same)
    for further in (
        {"value": "down"},
        {"request_id": "r2"},
        {"user_id": "bob"},
        {"created_at": "2026-03-02T12:00:01Z"},
        {"comment": "x"},
    ):
        (other,) = SOURCES["feedback_events"]().read(EVENT | further)
        assert said(row) != said(other), further


def test_rows_without_messages_stay_in_their_place():
    taking = reader()
    failed = {"custom_id": "a", "response": {"body": {"created": 1, "error": {}}}}
    for line in (failed, failed | {"custom_id": "b", "response": {"body": ANSWER}}, failed | {"custom_id": "c"}):
        taking.take(Line(1, 0, json.dumps(line).encode()))
    taking.flush()
    rows = taking.tables()["conversations"]
    assert rows["messages"].list.len().to_list() == [0, 1, 0]
    assert rows.schema == CONVERSATIONS


LEAVES = (None, True, -1, 2**40, 2**63, 1.5, "", "x", [], {}, [[]], [{}], ["x"], {"role": "user"}, {"index": 1})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [p for key, v in inner for p in places(v, (*path, key))]


FULL = [
    {
        "id": "a",
        "timestamp": WHEN,
        "user_id": "ann",
        "session_id": "s",
        "turn_index": 1,
        "app": "p",
        "latency_ms": 3,
        "status": "ok",
    }
    | {
        "prompt_template": {"name": "p", "version": "1"},
        "metadata": {"session_id": "v"},
        "request": BODY,
        "response": ANSWER,
    },
    {"request": BODY, "response": ANSWER},
    EVENT
    | {"target_kind": "turn", "actor_kind": "expert", "choice_index": 0, "session_id": "s", "received_at": 1772452800},
    EVENT | {"type": "rating", "value": 4},
    EVENT | {"type": "choice", "chosen_id": "a", "others": ["b"]},
    EVENT | {"type": "ranking", "ranking": ["a", "b"]},
    EVENT | {"type": "edit", "text": "better"},
    EVENT | {"type": "implicit", "signal": "thanks"},
    {"custom_id": "b", "method": "POST", "url": "/v1", "body": BODY},
    {"id": "b", "custom_id": "b", "response": {"status_code": 200, "request_id": "r", "body": ANSWER}, "error": None},
]


@pytest.mark.parametrize("line", FULL)
def test_no_value_in_any_place_makes_a_source_fail(line):
    """Every value of every format is replaced by every kind of JSON value: a row or a reason, never a fault."""
    taking = reader()
    for number, (path, leaf) in enumerate(((p, v) for p in places(line) for v in LEAVES), 1):
        spoiled = json.loads(json.dumps(line))
        at = spoiled
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = leaf
        taking.take(Line(number, 0, json.dumps(spoiled).encode()))
    taking.flush()
    tables = taking.tables()
    assert (tables["conversations"].schema, tables["feedback"].schema) == (CONVERSATIONS, FEEDBACK)
    refused, read = tables["quarantine"], pl.concat([tables[t].select("raw") for t in ("conversations", "feedback")])
    assert "source_failed" not in refused["reason"].to_list()
    stood = read.select(pl.col("raw").list.first().struct.field("line")).to_series()
    assert sorted({*refused["line"], *stood}) == list(range(1, number + 1))
