"""Each line of a batch file is half a call."""

import datetime as dt

import pytest

from flywheel.errors import Unreadable
from flywheel.sources.openai_batch import OpenAIBatch

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "user": "u"}
ANSWER = {
    "id": "c1",
    "created": 1795377600,
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}}],
}


def test_the_request_half():
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY}
    assert OpenAIBatch().recognises(line)
    (row,) = OpenAIBatch().read(line)
    expected = {
        "native_id": "a",
        "half": "request",
        "model": "m",
        "user": "u",
        "occurred_at": None,
        "parameters": '{"user":null}',
        "metadata": '{"method":"POST","url":"/v1/chat/completions"}',
    }
    assert {k: row[k] for k in expected} == expected
    assert [m["content"] for m in row["messages"]] == ["hi"]


@pytest.mark.parametrize(
    ("response", "error", "status", "contents"),
    [
        ({"status_code": 200, "request_id": "r", "body": ANSWER}, None, "ok", [["hello"]]),
        (
            {
                "status_code": 200,
                "body": ANSWER
                | {"choices": ANSWER["choices"] * 1 + [{"message": {"role": "assistant", "content": "bye"}}]},
            },
            None,
            "ok",
            [["hello"], ["bye"]],
        ),
        ({"status_code": 200, "body": ANSWER}, {"code": "x"}, "error", [["hello"]]),
        ({"status_code": 500, "body": {"created": 1795377600, "error": {}}}, None, "error", [[]]),
    ],
)
def test_the_response_half(response, error, status, contents):
    line = {"id": "b1", "custom_id": "a", "response": response, "error": error}
    assert OpenAIBatch().recognises(line)
    rows = OpenAIBatch().read(line)
    assert [[m["content"] for m in row["messages"]] for row in rows] == contents
    assert [row["choice"] for row in rows] == list(range(len(contents)))
    for row in rows:
        assert (row["native_id"], row["half"], row["status"]) == ("a", "response", status)
        assert row["occurred_at"] == dt.datetime(2026, 11, 22, 20, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"custom_id": None, "body": BODY}, "no_custom_id"),
        ({"custom_id": "a", "body": []}, "bad_body"),
        ({"custom_id": "a", "body": {"model": "m", "input": "embed me"}}, "no_messages"),
        ({"custom_id": "a", "response": None, "error": {"code": "expired"}}, "no_timestamp"),
        ({"custom_id": "a", "response": "hello"}, "bad_response"),
    ],
)
def test_unreadable(line, reason):
    with pytest.raises(Unreadable) as caught:
        OpenAIBatch().read(line)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "line", [{}, {"custom_id": "a"}, {"custom_id": "a", "request": {}, "response": {}}, {"body": {}}]
)
def test_other_formats_are_not_recognised(line):
    assert not OpenAIBatch().recognises(line)
