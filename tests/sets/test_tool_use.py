"""Tool use: trajectories checked against the tools offered."""

import orjson
import pytest

from flywheel.sets.tool_use import ToolUse
from flywheel.stages.assemble import assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import published, screened_of
from tests.trainers import told

TOOLS = orjson.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "get_order",
                "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
            },
        }
    ]
).decode()


def call(arguments='{"id":7}', id="call_1", name="get_order", **more):
    calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]
    return {"role": "assistant", "tool_calls": orjson.dumps(calls).decode()} | more


def result(id="call_1"):
    return {"role": "tool", "tool_call_id": id, "name": "get_order", "content": "shipped"}


def formed(*messages, tools=TOOLS):
    *prompt, reply = [told(m) for m in messages]
    return ToolUse(name="t").form(prompt, [reply], {"tools": tools})


def test_row_9_everything_since_the_user_spoke_is_learned():
    found = formed("system: s", "user: Where is 7?", call(), result(), "assistant: It shipped.")
    assert [m["role"] for m in found.prompt] == ["system", "user"]
    assert [m["role"] for m in found.completion] == ["assistant", "tool", "assistant"]
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("messages", "reasons"),
    [
        (("user: q", call("{}"), result(), "assistant: a"), ("ARGS_SCHEMA",)),
        (("user: q", call('{"id":"7"}'), result(), "assistant: a"), ("ARGS_SCHEMA",)),
        (("user: q", call("id=7"), result(), "assistant: a"), ("ARGS_SCHEMA",)),
        (("user: q", call(name="delete_order"), result(), "assistant: a"), ("UNKNOWN_TOOL",)),
        (("user: q", call(), result("call_9"), "assistant: a"), ("ORPHAN_TOOL_ID", "UNANSWERED_CALL")),
        (("user: q", call(), result(), result(), "assistant: a"), ("ORPHAN_TOOL_ID",)),
        (("user: q", call(), "assistant: a"), ("UNANSWERED_CALL",)),
        (("user: q", call()), ("UNFINISHED",)),
        (("user: q", "assistant: a"), ("NO_TOOL_CALL",)),
        (("user: q", call(), result(), "assistant: a", "user: r", "assistant: b"), ("NO_TOOL_CALL",)),
        (
            ("user: q", call("{}"), result(), "assistant: a", "user: r", call(), result(), "assistant: b"),
            ("ARGS_SCHEMA",),
        ),
        (("system: s", call(), result(), "assistant: a"), ("NO_PROMPT",)),
    ],
)
def test_row_9_what_is_wrong_is_named(messages, reasons):
    assert formed(*messages).reasons == reasons


@pytest.mark.parametrize(
    ("tools", "reason"),
    [(None, "NO_TOOLS"), ("[]", "NO_TOOLS"), ("{", "TOOL_SCHEMA"), ('[{"type":"x"}]', "TOOL_SCHEMA")],
)
def test_tools_that_are_none(tools, reason):
    assert formed("user: q", call(), result(), "assistant: a", tools=tools).reasons == (reason,)


def test_row_9_a_set_accounts_for_every_step(tmp_path):
    whole = ("user: q", call(), result(), "assistant: It shipped.")
    rows = screened_of(
        chat(*whole, id="b", tools=TOOLS, conversation_id="c1", user="u1"),
        chat(*whole[:2], id="a", tools=TOOLS, conversation_id="c1", user="u1"),
        chat("user: r", call("{}"), result(), "assistant: n", id="c", tools=TOOLS, conversation_id="c2", user="u2"),
    )
    found = published(Store(tmp_path), rows)
    wanted = ToolUse(name="t")
    made = Store(tmp_path).publish(
        assemble(wanted, found["curated"], found["screened"], found["labels"], 1, (), b"k" * 32)
    )
    assert made.scan().collect()["id"].to_list() == ["b"]
    assert dict(made.scan("rejected").collect().select("id", "reasons").rows()) == {
        "a": ["UNFINISHED"],
        "c": ["ARGS_SCHEMA"],
    }
    (example,) = made.scan().collect().to_dicts()
    assert [len(example["prompt"]), len(example["completion"]), example["parents"]] == [1, 3, ["b"]]
