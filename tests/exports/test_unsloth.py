"""Lines for Unsloth."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.unsloth import Unsloth
from tests.trainers import CORPUS, COT, PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_conversations_of_role_and_content_alone():
    assert Unsloth().render(PLAIN)["conversations"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is 7?"},
        {"role": "assistant", "content": "Shipped."},
    ]
    assert Unsloth().render(COT)["conversations"][-1]["content"] == "<think>\n3+4=7\n</think>\n\n7"
    assert Unsloth().render(CORPUS) == {"text": "Once upon a time."}
    assert Unsloth().render(example("developer: x", "user: y"))["conversations"][0]["role"] == "system"


def test_what_it_cannot_hold_is_refused_or_told():
    with pytest.raises(Unreadable, match="tool_calls"):
        Unsloth().render(TOOL_USE)
    with pytest.raises(Unreadable, match="reply_that_is_not_learned"):
        Unsloth().render({**TURNS, "learned": [False, False, False]})
    assert Unsloth().losses(TURNS) == ["weight of earlier replies"]
    assert Unsloth().losses({**PLAIN, "tools": TOOL_USE["tools"]}) == ["tools"]


def test_row_163_files_are_read_back(tmp_path):
    lines = [Unsloth().render(e) for e in (PLAIN, TURNS, COT)]
    assert Unsloth().validate_file(written(tmp_path / "train.jsonl", *lines)) == 3
    assert Unsloth().validate_file(written(tmp_path / "text.jsonl", Unsloth().render(CORPUS))) == 1
    with pytest.raises(ExportInvalid, match="mixes lines"):
        Unsloth().validate_file(written(tmp_path / "mixed.jsonl", lines[0], Unsloth().render(CORPUS)))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (((("conversations", 0, "name"), "x"),), "extra inputs"),
        (((("conversations", -1, "role"), "user"),), "last message is not"),
        (((("conversations", -1, "content"), " "),), "says nothing"),
        (((("conversations", 1, "role"), "system"),), "not the first"),
        (((("conversations", 1, "role"), "tool"),), "input should be"),
    ],
)
def test_row_163_planted_faults_are_found(tmp_path, steps, says):
    path = written(tmp_path / "train.jsonl", changed(Unsloth().render(PLAIN), *steps))
    with pytest.raises(ExportInvalid, match=says):
        Unsloth().validate_file(path)
