"""Datasets of conversations."""

import orjson
import pytest

from flywheel.errors import Unreadable
from flywheel.logs.exchange import EPOCH
from flywheel.sources.chat_dataset import ChatDataset

ASKED = {"role": "user", "content": "Where is 7?"}
REPLY = {"role": "assistant", "content": "Shipped."}
TOOLS = [{"type": "function", "function": {"name": "get_order"}}]


def read(line):
    assert ChatDataset().recognises(line)
    (row,) = ChatDataset().read(line)
    return row


@pytest.mark.parametrize(
    "line",
    [
        {"messages": [ASKED, REPLY]},
        {"conversations": [{"from": "human", "value": "Where is 7?"}, {"from": "gpt", "value": "Shipped."}]},
        {"traj": [ASKED, REPLY]},
    ],
)
def test_row_2_messages_are_read_in_every_spelling(line):
    row = read(line)
    assert [(m["role"], m["content"]) for m in row["messages"]] == [("user", "Where is 7?"), ("assistant", "Shipped.")]
    assert (row["occurred_at"], row["origin"], row["tools"], row["status"]) == (EPOCH, "logged", None, "ok")
    assert row["native_id"].startswith("sha-")


def test_row_11_an_agents_run_keeps_its_outcome_and_what_came_after_it():
    row = read(
        {"traj": [ASKED, REPLY, {"role": "user", "content": "bye"}], "reward": 1.0, "task_id": 3, "origin": "observed"}
    )
    assert [m["role"] for m in row["messages"]] == ["user", "assistant"]
    assert orjson.loads(row["metadata"]) == {"reward": 1.0, "task_id": 3, "after": [{"role": "user", "content": "bye"}]}
    assert row["origin"] == "observed"


@pytest.mark.parametrize("tools", [TOOLS, orjson.dumps(TOOLS).decode()])
def test_tools_may_be_json_in_a_text(tools):
    row = read(
        {"id": "a", "messages": [ASKED, REPLY], "tools": tools, "timestamp": "2026-03-02T10:00:00Z", "user_id": "u"}
    )
    assert orjson.loads(row["tools"]) == TOOLS
    assert (row["native_id"], row["user"], row["occurred_at"].year) == ("a", "u", 2026)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"messages": []}, "no_messages"),
        ({"messages": [ASKED]}, "no_reply"),
        ({"messages": [REPLY]}, "no_reply"),
        ({"messages": [7]}, "bad_message"),
        ({"messages": [ASKED, REPLY], "tools": "{"}, "bad_tools"),
        ({"messages": [ASKED, REPLY], "tools": {"a": 1}}, "bad_tools"),
    ],
)
def test_what_cannot_be_read_says_why(line, reason):
    with pytest.raises(Unreadable) as refused:
        ChatDataset().read(line)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "line",
    [
        {"request": {"messages": []}},
        {"messages": [], "chosen": 1},
        {"messages": "x"},
        {"type": "thumbs", "messages": []},
    ],
)
def test_other_formats_are_left_to_others(line):
    assert not ChatDataset().recognises(line)
