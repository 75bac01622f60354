"""Lines for Tinker."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.tinker import Tinker
from tests.trainers import COT, PAIR, PLAIN, TOOL_USE, TURNS, changed, written


def test_row_163_every_message_says_whether_it_is_trained_on():
    assert Tinker().render(PLAIN)["messages"] == [
        {"role": "system", "content": "Be brief.", "trainable": False},
        {"role": "user", "content": "Where is 7?", "trainable": False},
        {"role": "assistant", "content": "Shipped.", "trainable": True},
    ]
    assert Tinker().render(COT)["messages"][-1]["content"].startswith("<think>\n3+4=7\n</think>")


def test_row_13_the_loss_of_each_turn_is_kept():
    told = Tinker().render({**TURNS, "learned": [False, True, False]})
    assert [m["trainable"] for m in told["messages"]] == [False, True, False, True]
    assert Tinker().losses(TURNS) == []


def test_row_163_a_pair_is_a_labelled_comparison():
    assert Tinker().render(PAIR) == {
        "comparison": {
            "prompt_conversation": [{"role": "user", "content": "Where is 7?"}],
            "completion_A": [{"role": "assistant", "content": "Shipped."}],
            "completion_B": [{"role": "assistant", "content": "No idea."}],
        },
        "label": "A",
    }


def test_calls_of_tools_are_refused_and_tools_never_used_are_told():
    with pytest.raises(Unreadable, match="tool_calls"):
        Tinker().render(TOOL_USE)
    assert Tinker().losses({**PLAIN, "tools": TOOL_USE["tools"]}) == ["tools"]


def test_row_163_files_are_read_back(tmp_path):
    lines = [Tinker().render(e) for e in (PLAIN, TURNS, COT)]
    assert Tinker().validate_file(written(tmp_path / "train.jsonl", *lines)) == 3
    assert Tinker().validate_file(written(tmp_path / "pairs.jsonl", Tinker().render(PAIR))) == 1


@pytest.mark.parametrize(
    ("line", "steps", "says"),
    [
        (PLAIN, ((("messages", 0, "trainable"), ...),), "field required"),
        (PLAIN, ((("messages", -1, "trainable"), False),), "not trained on"),
        (PLAIN, ((("messages", 0, "trainable"), True),), "not the assistant's is trained on"),
        (PAIR, ((("label",), "C"),), "input should be"),
        (PAIR, ((("comparison", "completion_B"), []),), "does not end with the assistant"),
        (PAIR, ((("comparison", "completion_B", 0, "content"), "Shipped."),), "are the same"),
        (PAIR, ((("comparison", "prompt_conversation"), []),), "the prompt has no messages"),
    ],
)
def test_row_163_planted_faults_are_found(tmp_path, line, steps, says):
    path = written(tmp_path / "train.jsonl", changed(Tinker().render(line), *steps))
    with pytest.raises(ExportInvalid, match=says):
        Tinker().validate_file(path)
