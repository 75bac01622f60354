"""TRL's conversational language modelling."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.trl import Trl
from flywheel.exports.trl_messages import TrlMessages
from tests.trainers import COT, PLAIN, TOOL_USE, TURNS, changed, written


def test_row_163_a_line_is_one_conversation():
    line = TrlMessages().render(PLAIN)
    assert line == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where is 7?"},
            {"role": "assistant", "content": "Shipped."},
        ]
    }
    tools = TrlMessages().render(TOOL_USE)
    both = Trl().render(TOOL_USE)
    assert tools["messages"] == [*both["prompt"], *both["completion"]]
    assert tools["tools"] == both["tools"]
    assert TrlMessages().render(COT)["messages"][-1]["thinking"] == "3+4=7"


def test_row_13_every_reply_is_learned_so_one_that_must_not_be_is_refused():
    assert TrlMessages().losses(TURNS) == ["weight of earlier replies"]
    assert TrlMessages().losses({**TURNS, "learned": [False, True, False]}) == []
    with pytest.raises(Unreadable, match="reply_that_is_not_learned"):
        TrlMessages().render({**TURNS, "learned": [False, False, False]})


def test_row_163_files_are_read_back(tmp_path):
    lines = [TrlMessages().render(e) for e in (PLAIN, TURNS, TOOL_USE, COT)]
    assert TrlMessages().validate_file(written(tmp_path / "train.jsonl", *lines)) == 4
    assert TrlMessages().reader() == Trl.reader()


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (((("messages", -1, "role"), "user"),), "does not end with the assistant"),
        (((("messages", 0, "weight"), 1),), "extra inputs"),
        (((("messages",), [{"role": "assistant", "content": "x"}]),), "nobody else speaks"),
    ],
)
def test_row_163_planted_faults_are_found(tmp_path, steps, says):
    path = written(tmp_path / "train.jsonl", changed(TrlMessages().render(PLAIN), *steps))
    with pytest.raises(ExportInvalid, match=says):
        TrlMessages().validate_file(path)
