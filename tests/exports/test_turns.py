"""Lines of turns of several messages."""

import pytest

from flywheel.errors import ExportInvalid
from flywheel.exports.turns import Turns
from flywheel.formats.turns import chat_messages
from tests.trainers import COT, PLAIN, TOOL_USE, TURNS, changed, written


def test_row_12_tool_use_as_one_turn_that_ends_once():
    line = Turns().render(TOOL_USE)
    assert [(m["from"], m["to"], m["end_of_turn"], m["train"]) for m in line["messages"]] == [
        ("user", "assistant", True, False),
        ("assistant", "get_order", False, True),
        ("get_order", "assistant", True, False),
        ("assistant", "user", True, True),
    ]
    assert line["tools"][0]["function"]["name"] == "get_order"
    assert chat_messages(line["messages"]) == [*TOOL_USE["prompt"], *TOOL_USE["completion"]]


def test_row_12_reasoning_goes_to_the_assistant_itself():
    line = Turns().render(COT)
    assert [(m["to"], m["content"], m["end_of_turn"]) for m in line["messages"][1:]] == [
        ("self", "3+4=7", False),
        ("user", "7", True),
    ]


def test_row_13_only_what_is_learned_is_trained():
    assert [m["train"] for m in Turns().render(TURNS)["messages"]] == [False, False, False, True]
    both = {**TURNS, "learned": [False, True, False]}
    assert [m["train"] for m in Turns().render(both)["messages"]] == [False, True, False, True]


def test_row_163_files_are_read_back(tmp_path):
    lines = [Turns().render(e) for e in (PLAIN, TURNS, TOOL_USE, COT)]
    assert Turns().validate_file(written(tmp_path / "train.jsonl", *lines)) == 4
    assert all(Turns().losses(e) == [] for e in (PLAIN, TURNS, TOOL_USE, COT))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (((("messages", -1, "end_of_turn"), False),), "does not end it"),
        (((("messages", 1, "end_of_turn"), True),), "ends the turn and the assistant goes on"),
        (((("messages", -1, "train"), False),), "not learned"),
        (((("messages", 0, "train"), True),), "not the assistant's is learned"),
        (((("messages", 0, "to"), ...),), "field required"),
        (((("messages", 0, "role"), "user"),), "extra"),
        (((("messages",), []),), "not the assistant's"),
    ],
)
def test_row_163_planted_faults_are_found(tmp_path, steps, says):
    path = written(tmp_path / "train.jsonl", changed(Turns().render(TOOL_USE), *steps))
    with pytest.raises(ExportInvalid, match=says):
        Turns().validate_file(path)
