"""Nothing of a chat-completions exchange is lost, in any wrapper."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import Unreadable
from flywheel.sources.openai_chat import OpenAIChat

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
RESPONSE = {"id": "c1", "object": "chat.completion", "created": 1795377600, "model": "m", "choices": [CHOICE]}
THEN = dt.datetime(2026, 11, 22, 20, tzinfo=dt.UTC)


def read(line: dict[str, Any]) -> list[dict[str, Any]]:
    assert OpenAIChat().recognises(line)
    return OpenAIChat().read(line)


# --- the law: the exchange can be built again from its rows


def loads(text: str | None) -> Any:
    return {} if text is None else json.loads(text)


def rebuilt_message(m: dict[str, str | None]) -> dict[str, Any]:
    named = {k: m[k] for k in ("role", "name", "refusal", "tool_call_id", "reasoning") if m[k] is not None}
    content = json.loads(m["parts"]) if m["parts"] is not None else m["content"]
    calls = {"tool_calls": json.loads(m["tool_calls"])} if m["tool_calls"] is not None else {}
    return named | ({} if content is None else {"content": content}) | calls | loads(m["extra"])


def rebuilt(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The OpenAI exchange that the rows of one line came from."""
    row = rows[0]
    parameters = loads(row["parameters"])
    if "user" in parameters and parameters["user"] is None:
        parameters["user"] = row["user"]
    failed = len(row["messages"]) == row["asked"]
    request = (
        {"model": row["model"]}
        | parameters
        | {"messages": [rebuilt_message(m) for m in row["messages"][: row["asked"]]]}
    )
    if row["tools"] is not None:
        request["tools"] = json.loads(row["tools"])
    response = loads(row["response_extra"]) | {"id": row["response_id"], "model": row["model"]}
    counts = {k: row[k] for k in ("prompt_tokens", "completion_tokens") if row.get(k) is not None}
    if counts or "usage" in response:
        response["usage"] = counts | response.get("usage", {})
    if failed:
        return {"request": request, "response": None}
    response["choices"] = [
        {"index": r["choice"], "message": rebuilt_message(r["messages"][-1])}
        | ({"finish_reason": r["finish_reason"]} if r["finish_reason"] is not None else {})
        | loads(r["response_extra"]).get("choices", {})
        for r in rows
    ]
    return {"request": request, "response": response}


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-(2**53), 2**53)
free = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=3,
)
unknown = st.dictionaries(
    st.sampled_from(["x_a", "annotations", "audio", "weight"]), free.filter(lambda v: v is not None), max_size=2
)
parts = st.lists(
    st.one_of(
        text.map(lambda t: {"type": "text", "text": t}),
        text.map(lambda t: {"type": "image_url", "image_url": {"url": t, "detail": "low"}}),
        text.map(lambda t: {"type": "refusal", "refusal": t}),
    ),
    max_size=3,
)
calls = st.lists(
    st.builds(
        lambda i, name, arguments: {"id": i, "type": "function", "function": {"name": name, "arguments": arguments}},
        text,
        text,
        st.sampled_from(['{"id":7}', '{ "id" : 7 }', "{broken", ""]),
    ),
    min_size=1,
    max_size=2,
)


def message(role: st.SearchStrategy[str], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries({"role": role}, optional={"content": text | parts} | optional)
    return st.builds(lambda a, b: b | a, known, unknown)


asked = st.one_of(
    message(st.sampled_from(["system", "developer", "user"]), name=text),
    message(st.just("assistant"), tool_calls=calls, refusal=text, reasoning=text),
    message(st.just("tool"), tool_call_id=text),
)
answer = message(st.just("assistant"), tool_calls=calls, refusal=text, reasoning=text)
requests = st.fixed_dictionaries(
    {"model": st.sampled_from(["m", "m-alias"]), "messages": st.lists(asked, min_size=1, max_size=3)},
    optional={
        "tools": st.lists(st.dictionaries(text, free, max_size=2), max_size=2),
        "temperature": numbers,
        "x": free,
        "user": text.filter(bool),
    },
)
choices = st.lists(
    st.fixed_dictionaries(
        {"message": answer}, optional={"finish_reason": st.sampled_from(["stop", "length"]), "logprobs": free}
    ),
    min_size=1,
    max_size=3,
).map(lambda found: [{"index": i} | c for i, c in enumerate(found)])
usage = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": numbers,
        "completion_tokens": numbers,
        "total_tokens": numbers,
        "prompt_tokens_details": free,
    },
)
responses = st.fixed_dictionaries(
    {
        "id": text.filter(bool),
        "created": st.just(1795377600),
        "object": st.just("chat.completion"),
        "model": st.just("m"),
        "choices": choices,
    },
    optional={"usage": usage, "service_tier": free, "system_fingerprint": text},
)


@given(
    requests,
    st.none() | responses,
    st.dictionaries(st.sampled_from(["k1", "k2", "metadata", "error"]), free, max_size=3),
)
def test_nothing_of_an_exchange_is_lost(request, response, around):
    rows = read({"timestamp": 1795377600, "request": request, "response": response, **around})
    for row in rows:
        row["asked"] = len(request["messages"])
        assert loads(row["metadata"]) == around
        assert row["status"] == ("error" if response is None else "ok")
    assert rebuilt(rows) == {"request": request, "response": response}


# --- wrappers


def test_a_full_line():
    line = {
        "id": "req_1",
        "timestamp": "2026-11-22T20:00:00.500Z",
        "user_id": "u_1",
        "session_id": "s_1",
        "turn_index": 2,
        "app": "tutor",
        "environment": "prod",
        "prompt_template": {"name": "tutor", "version": "v1"},
        "prompt_variables": {"locale": "en"},
        "request": REQUEST | {"temperature": 0.2},
        "response": RESPONSE | {"usage": {"prompt_tokens": 45, "completion_tokens": 124, "total_tokens": 169}},
        "latency_ms": 2947,
        "status": "ok",
        "metadata": {"language": "en"},
    }
    (row,) = read(line)
    assert {k: v for k, v in row.items() if k != "messages"} == {
        "native_id": "req_1",
        "response_id": "c1",
        "conversation_id": "s_1",
        "turn": 2,
        "choice": 0,
        "user": "u_1",
        "occurred_at": THEN + dt.timedelta(milliseconds=500),
        "app": "tutor",
        "prompt_name": "tutor",
        "prompt_version": "v1",
        "environment": "prod",
        "latency_ms": 2947.0,
        "status": "ok",
        "finish_reason": "stop",
        "model": "m",
        "tools": None,
        "parameters": '{"temperature":0.2}',
        "prompt_tokens": 45,
        "completion_tokens": 124,
        "response_extra": '{"object":"chat.completion","created":1795377600,"usage":{"total_tokens":169}}',
        "metadata": '{"prompt_variables":{"locale":"en"},"metadata":{"language":"en"}}',
    }
    assert [m["content"] for m in row["messages"]] == ["hi", "hello"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            {"timestamp": 1795377600, "workload_id": "w", "client_id": "c"},
            {"app": "w", "metadata": '{"client_id":"c"}'},
        ),
        ({}, {"occurred_at": THEN, "native_id": "c1", "conversation_id": None, "user": None}),
        ({"id": 7, "request_id": "r"}, {"native_id": "7", "metadata": '{"request_id":"r"}'}),
        ({"request_id": "r"}, {"native_id": "r"}),
        ({"created_at": 1795377600000, "thread_id": "t"}, {"occurred_at": THEN, "conversation_id": "t"}),
        ({"metadata": {"session_id": "s"}}, {"conversation_id": "s", "metadata": '{"metadata":{"session_id":"s"}}'}),
        ({"request": REQUEST | {"user": "u"}}, {"user": "u", "parameters": '{"user":null}'}),
        ({"request": REQUEST | {"model": "alias"}}, {"model": "m", "parameters": '{"model":"alias"}'}),
        ({"request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)}, {"native_id": "c1", "status": "ok"}),
        ({"status": "error"}, {"status": "error", "metadata": None}),
        ({"status": "success"}, {"status": "ok", "metadata": '{"status":"success"}'}),
        ({"status": "failure"}, {"status": "error", "metadata": '{"status":"failure"}'}),
        ({"prompt_template": "tutor", "prompt_version": "2"}, {"prompt_name": "tutor", "prompt_version": "2"}),
        ({"latency_ms": "fast", "turn": -1}, {"turn": -1, "metadata": '{"latency_ms":"fast"}'}),
    ],
)
def test_wrappers(line, expected):
    (row,) = read({"request": REQUEST, "response": RESPONSE} | line)
    assert {k: row[k] for k in expected} == expected


@pytest.mark.parametrize("response", [None, {}, {"error": {"code": 429}}, {"choices": []}])
def test_a_call_that_failed_ends_with_its_request(response):
    (row,) = read({"timestamp": 1, "request": REQUEST, "response": response, "error": {"code": 429}})
    assert (row["status"], [m["role"] for m in row["messages"]]) == ("error", ["user"])
    assert row["native_id"].startswith("sha-")
    assert row["metadata"] == '{"error":{"code":429}}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"request": REQUEST}, "no_timestamp"),
        ({"request": REQUEST, "response": {"choices": [CHOICE]}}, "no_timestamp"),
        ({"request": REQUEST, "response": RESPONSE, "timestamp": "yesterday"}, "bad_timestamp"),
        ({"request": REQUEST, "response": RESPONSE | {"created": "soon"}}, "bad_timestamp"),
        ({"request": None}, "bad_request"),
        ({"request": {"model": "m"}}, "no_messages"),
        ({"request": REQUEST, "response": ["hello"]}, "bad_response"),
        ({"request": REQUEST, "response": RESPONSE | {"choices": [{"message": {"content": "hi"}}]}}, "no_role"),
    ],
)
def test_unreadable(line, reason):
    with pytest.raises(Unreadable) as caught:
        read(line)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "line", [{}, {"custom_id": "a", "body": {}}, {"type": "thumbs", "request_id": "r"}, {"messages": []}]
)
def test_other_formats_are_not_recognised(line):
    assert not OpenAIChat().recognises(line)
