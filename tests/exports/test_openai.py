"""OpenAI fine-tuning lines: what is written, and what the reader refuses."""

import orjson
import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.openai import OpenAI
from flywheel.records import message

CALL = '[{"id":"call_1","type":"function","function":{"name":"get_order","arguments":"{ \\"id\\":7}"}}]'
TOOLS = '[{"type":"function","function":{"name":"get_order","parameters":{"type":"object","properties":{"id":{"type":"integer"}}}}}]'


def example(*prompt, completion=None, rejected=None, kind="sft", tools=None, **columns):
    def told(m):
        role, _, text = m.partition(": ") if isinstance(m, str) else ("", "", "")
        return message({"role": role, "content": text} if isinstance(m, str) else m)

    given = {
        "id": "x",
        "kind": kind,
        "prompt": [told(m) for m in prompt],
        "completion": [told(completion or "assistant: ok")],
    }
    given |= {
        "rejected": [told(rejected)] if rejected else None,
        "tools": tools,
        "label": None,
        "score": None,
        "split": "train",
    }
    return given | columns


EVERY_ROLE = example(
    "system: Be brief.",
    "developer: No lists.",
    {
        "role": "user",
        "content": "Where is 7?",
        "name": "ann",
        "parts": '[{"type":"text","text":"Where is 7?"},{"type":"image_url","image_url":{"url":"https://x/7.png"}}]',
    },
    {"role": "assistant", "tool_calls": CALL},
    {"role": "tool", "tool_call_id": "call_1", "name": "get_order", "content": "shipped"},
    {"role": "assistant", "content": None, "refusal": "I may not say."},
    "user: Please.",
    completion="assistant: It shipped.",
    tools=TOOLS,
)


def test_row_2_every_role_and_the_exact_line():
    assert OpenAI().render(EVERY_ROLE) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "No lists."},
            {"role": "user", "content": [{"type": "text", "text": "Where is 7?"}, {"type": "image_url", "image_url": {"url": "https://x/7.png"}}], "name": "ann"},
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_order", "arguments": '{ "id":7}'}}], "weight": 0},
            {"role": "tool", "content": "shipped", "tool_call_id": "call_1"},
            {"role": "assistant", "refusal": "I may not say.", "weight": 0},
            {"role": "user", "content": "Please."},
            {"role": "assistant", "content": "It shipped.", "weight": 1},
        ],
        "tools": orjson.loads(TOOLS),
    }  # fmt: skip


def test_row_4_a_preference_line():
    line = OpenAI().render(
        example("user: q", completion="assistant: good", rejected="assistant: bad", kind="preference", tools=TOOLS)
    )
    assert line == {
        "input": {"messages": [{"role": "user", "content": "q"}], "tools": orjson.loads(TOOLS)},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }


def test_parallel_calls_say_so():
    two = {"role": "assistant", "tool_calls": CALL[:-1] + "," + CALL[1:].replace("call_1", "call_2")}
    assert OpenAI().render(example("user: q", completion=two, tools=TOOLS))["parallel_tool_calls"] is True


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (example("user: q", completion={"role": "assistant"}), "empty_assistant_message"),
        (example("user: q", completion="user: hm"), "completion_without_assistant"),
        (example("user: q", tools="{}"), "tools_are_no_list"),
        (example(EVERY_ROLE["prompt"][2], rejected="assistant: n", kind="preference"), "images_in_preference"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        OpenAI().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    thinking = {"role": "assistant", "content": "7", "reasoning": "3+4", "extra": "{}"}
    assert OpenAI().losses(example("user: q", completion=thinking)) == ["extra", "reasoning"]
    assert OpenAI().losses(example("user: q")) == []


def written(path, *lines):
    path.write_bytes(b"".join(line if isinstance(line, bytes) else orjson.dumps(line) + b"\n" for line in lines))
    return path


def test_good_files_are_read_back(tmp_path):
    assert (
        OpenAI().validate_file(
            written(tmp_path / "a.jsonl", OpenAI().render(EVERY_ROLE), OpenAI().render(example("user: q")))
        )
        == 2
    )
    pair = example("user: q", completion="assistant: good", rejected="assistant: bad", kind="preference")
    assert OpenAI().validate_file(written(tmp_path / "b.jsonl", OpenAI().render(pair))) == 1
    assert OpenAI().validate_file(written(tmp_path / "c.jsonl")) == 0


USER, REPLY = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
ASKS = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
PAIR = {
    "input": {"messages": [USER]},
    "preferred_output": [REPLY],
    "non_preferred_output": [{"role": "assistant", "content": "b"}],
}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{\n", "it is no JSON"),
        ([], "line 1"),
        ({}, "messages: field required"),
        ({"messages": []}, "the last message is not the assistant's"),
        ({"messages": [USER]}, "the last message is not the assistant's"),
        ({"messages": [USER, REPLY], "note": 1}, "note: extra inputs are not permitted"),
        ({"messages": [{**USER, "weight": 1}, REPLY]}, "weight: extra inputs are not permitted"),
        ({"messages": [USER, {**REPLY, "weight": 2}]}, "weight: input should be 0 or 1"),
        ({"messages": [USER, {**REPLY, "weight": 0}]}, "nothing to learn"),
        ({"messages": [USER, {**REPLY, "reasoning": "r"}]}, "reasoning: extra inputs are not permitted"),
        ({"messages": [{"role": "robot", "content": "q"}, REPLY]}, "line 1"),
        ({"messages": [{"role": "user"}, REPLY]}, "content: field required"),
        ({"messages": [{"role": "user", "content": 7}, REPLY]}, "line 1"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}, REPLY]}, "text: field required"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "q", "x": 1}]}, REPLY]}, "line 1"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "neither content, refusal nor tool calls"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}]}]}, "arguments: input should be a valid string"),
        ({"messages": [USER, ASKS, {"role": "tool", "tool_call_id": "c2", "content": "r"}, REPLY]}, "answers no call before it"),
        ({"messages": [USER, REPLY], "tools": [{"type": "function"}]}, "function: field required"),
        ({"messages": [USER, REPLY], "tools": "[]"}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}] * 65}, REPLY]}, "65 images"),
        ({**PAIR, "preferred_output": []}, "preferred_output has no assistant message"),
        ({**PAIR, "preferred_output": [USER]}, "line 1"),
        ({**PAIR, "preferred_output": [{**REPLY, "weight": 1}]}, "weight: extra inputs are not permitted"),
        ({**PAIR, "non_preferred_output": [REPLY]}, "both outputs are the same"),
        ({"input": {"messages": [USER]}, "preferred_output": [REPLY]}, "non_preferred_output: field required"),
        ({**PAIR, "input": {"messages": []}}, "the input has no messages"),
    ],
)  # fmt: skip
def test_planted_faults_are_found(tmp_path, line, fault):
    with pytest.raises(ExportInvalid, match=r"bad\.jsonl, line 1: ") as found:
        OpenAI().validate_file(written(tmp_path / "bad.jsonl", line))
    assert fault in str(found.value)


def test_a_file_of_two_kinds_is_refused(tmp_path):
    with pytest.raises(ExportInvalid, match="mixes supervised and preference lines"):
        OpenAI().validate_file(written(tmp_path / "a.jsonl", PAIR, {"messages": [USER, REPLY]}))
