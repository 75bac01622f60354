"""Times, ids and texts as logs write them."""

import datetime as dt

import pytest

from flywheel.errors import Unreadable
from flywheel.logs.exchange import (
    as_object,
    moment,
    native_id,
    read_message,
    read_request,
    read_response,
    take_int,
    take_text,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02T02:02:39.188Z", "2026-03-02T02:02:39.188000+00:00"),
        ("2026-03-02T02:02:39.123456789Z", "2026-03-02T02:02:39.123456+00:00"),
        ("2026-03-02T01:00:00+09:00", "2026-03-01T16:00:00+00:00"),
        ("2026-03-02 02:02:39", "2026-03-02T02:02:39+00:00"),
        (1772416959, "2026-03-02T02:02:39+00:00"),
        (1772416959.25, "2026-03-02T02:02:39.250000+00:00"),
        (1772416959188, "2026-03-02T02:02:39.188000+00:00"),
        (1772416959188001, "2026-03-02T02:02:39.188001+00:00"),
        (1772416959188001000, "2026-03-02T02:02:39.188001+00:00"),
        ("1772416959", "2026-03-02T02:02:39+00:00"),
    ],
)
def test_moment(value, expected):
    when = moment(value)
    assert when.isoformat() == expected
    assert when.tzinfo is dt.UTC


@pytest.mark.parametrize("value", ["yesterday", "", "nan", "inf", True, [], {}, 1e300, "9999-99-99", -(10**30)])
def test_no_moment(value):
    with pytest.raises(Unreadable, match="bad_timestamp"):
        moment(value)


def test_first_usable_key_is_taken_and_only_it():
    line = {"a": None, "b": "", "c": 7, "d": "x", "e": 2**40, "f": 3, "g": True}
    assert take_text(line, "a", "b", "c", "d") == "7"
    assert take_int(line, "e", "g", "f") == 3
    assert line == {"a": None, "b": "", "d": "x", "e": 2**40, "g": True}


def test_native_id_does_not_depend_on_the_order_of_keys():
    assert native_id({"a": 1, "b": 2}) == native_id({"b": 2, "a": 1}) != native_id({"a": 1, "b": 3})


def test_an_object_may_be_given_as_text():
    assert as_object('{"a": 1}', "request") == {"a": 1}
    for bad in ("{", "[]", 7, None):
        with pytest.raises(Unreadable, match="bad_request"):
            as_object(bad, "request")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("hi", "bad_message"),
        ({"content": "hi"}, "no_role"),
        ({"role": 7, "content": "hi"}, "no_role"),
        ({"role": "user", "content": 7}, "bad_content"),
        ({"role": "user", "content": {"text": "hi"}}, "bad_content"),
        ({"role": "user", "content": ["hi"]}, "bad_content"),
        ({"role": "assistant", "tool_calls": "call"}, "bad_tool_calls"),
        ({"role": "assistant", "tool_calls": ["call"]}, "bad_tool_calls"),
    ],
)
def test_unreadable_message(message, reason):
    with pytest.raises(Unreadable) as caught:
        read_message(message)
    assert caught.value.reason == reason
    assert caught.value.detail


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ({"role": "user", "content": "hi"}, {"content": "hi"}),
        ({"role": "user", "content": ""}, {"content": ""}),
        ({"role": "assistant", "content": None, "refusal": "no"}, {"refusal": "no"}),
        (
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            {"content": "a", "parts": '[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]'},
        ),
        ({"role": "user", "content": [{"type": "file"}]}, {"parts": '[{"type":"file"}]'}),
        ({"role": "assistant", "content": "a", "reasoning_content": "r"}, {"content": "a", "reasoning": "r"}),
        ({"role": "assistant", "reasoning": "r", "reasoning_content": "r"}, {"reasoning": "r"}),
        (
            {"role": "assistant", "reasoning": "r", "reasoning_content": "s"},
            {"reasoning": "r", "extra": '{"reasoning_content":"s"}'},
        ),
        ({"role": "assistant", "reasoning": ["r"]}, {"extra": '{"reasoning":["r"]}'}),
        ({"role": "assistant", "content": "a", "tool_calls": [], "audio": None}, {"content": "a"}),
        (
            {"role": "tool", "content": "4", "tool_call_id": "c1", "name": "add"},
            {"content": "4", "tool_call_id": "c1", "name": "add"},
        ),
        ({"role": "user", "content": "hi", "weight": 0}, {"content": "hi", "extra": '{"weight":0}'}),
    ],
)
def test_message(message, fields):
    assert {k: v for k, v in read_message(message).items() if v is not None} == {"role": message["role"]} | fields


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"model": "m"}, "no_messages"),
        ({"messages": []}, "no_messages"),
        ({"messages": "hi"}, "bad_messages"),
        ({"messages": [{"role": "user", "content": "hi"}], "tools": {}}, "bad_tools"),
    ],
)
def test_unreadable_request(request_, reason):
    with pytest.raises(Unreadable, match=reason):
        read_request(request_)


@pytest.mark.parametrize(
    "choices",
    [
        {"index": 0},
        ["hello"],
        [{"index": 0}],
        [{"index": "0", "message": {"role": "assistant", "content": ""}}],
        [{"index": -1, "message": {"role": "assistant", "content": ""}}],
        [
            {"index": 1, "message": {"role": "assistant", "content": ""}},
            {"message": {"role": "assistant", "content": ""}},
        ],
    ],
)
def test_unreadable_choices(choices):
    with pytest.raises(Unreadable, match="bad_choices"):
        read_response({"choices": choices})
