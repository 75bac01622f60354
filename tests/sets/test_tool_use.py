"""Tool use: trajectories checked against the tools offered."""

import orjson
import pytest

from flywheel.sets.tool_use import ToolUse
from flywheel.stages.assemble import Inputs, assemble
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
    return ToolUse(name="t").form(prompt, [reply], {"tools": tools, "metadata": None})


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
    made = Store(tmp_path).publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    assert made.scan().collect()["id"].to_list() == ["b"]
    assert dict(made.scan("rejected").collect().select("id", "reasons").rows()) == {
        "a": ["UNFINISHED"],
        "c": ["ARGS_SCHEMA"],
    }
    (example,) = made.scan().collect().to_dicts()
    assert [len(example["prompt"]), len(example["completion"]), example["parents"]] == [1, 3, ["b"]]


def steps(n):
    """A trajectory of `n` calls."""
    every = [m for i in range(n) for m in (call(id=f"call_{i}"), result(f"call_{i}"))]
    return ("user: Where is 7?", *every, "assistant: It shipped.")


def made(tmp_path, wanted, *rows):
    found = published(Store(tmp_path), screened_of(*rows))
    return Store(tmp_path).publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))


def paths(*outcomes, **columns):
    """Trajectories of 5, 3 and 4 calls to one task, of three users."""
    return [
        chat(*steps(n), id=f"of_{n}", user=f"u{n}", conversation_id=f"c{n}", tools=TOOLS, metadata=told, **columns)
        for n, told in zip((5, 3, 4), outcomes or ('{"task": "t1"}',) * 3, strict=True)
    ]


@pytest.mark.parametrize("wanted", [ToolUse(name="t"), ToolUse(name="t", task="task")])
def test_row_10_the_shortest_verified_trajectory_is_kept_and_the_others_name_it(tmp_path, wanted):
    set_of = made(tmp_path, wanted, *paths())
    assert set_of.scan().collect()["id"].to_list() == ["of_3"]
    lost = set_of.scan("rejected").collect().select("id", "reasons", "instead").rows()
    assert lost == [("of_4", ["LONGER_TRAJECTORY"], "of_3"), ("of_5", ["LONGER_TRAJECTORY"], "of_3")]


def test_row_10_what_did_not_succeed_is_not_compared(tmp_path):
    ended = ('{"reward": 1.0}', '{"reward": 0.0}', '{"reward": true}')
    set_of = made(tmp_path, ToolUse(name="t", verified="reward"), *paths(*ended))
    assert set_of.scan().collect()["id"].to_list() == ["of_4"]
    lost = dict(set_of.scan("rejected").collect().select("id", "reasons").rows())
    assert lost == {"of_3": ["UNVERIFIED"], "of_5": ["LONGER_TRAJECTORY"]}


def test_row_10_other_tasks_are_no_rivals(tmp_path):
    tasks = ('{"task": "a"}', '{"task": "b"}', "{}")
    assert made(tmp_path, ToolUse(name="t", task="task"), *paths(*tasks)).count() == 3
    assert made(tmp_path / "all", ToolUse(name="t", choose="all"), *paths()).count() == 3


def test_row_11_a_set_of_what_was_observed_has_nothing_that_was_recalled(tmp_path):
    origins = ("demonstrated", "logged", "synthesized")
    rows = [chat(*steps(n), id=o, user=o, conversation_id=o, tools=TOOLS, origin=o) for n, o in enumerate(origins, 1)]
    set_of = made(tmp_path, ToolUse(name="t", choose="all", origins=("observed",)), *rows)
    assert set_of.scan().collect().select("id", "origin").rows() == [("logged", "logged")]
    lost = dict(set_of.scan("rejected").collect().select("id", "reasons").rows())
    assert lost == {"demonstrated": ["OTHER_ORIGIN"], "synthesized": ["OTHER_ORIGIN"]}
