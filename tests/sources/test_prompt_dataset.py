"""Datasets of single instructions."""

import orjson
import pytest

from flywheel.errors import Unreadable
from flywheel.sources.prompt_dataset import PromptDataset


def told(line):
    assert PromptDataset().recognises(line)
    (row,) = PromptDataset().read(line)
    return [(m["role"], m["content"]) for m in row["messages"]], row


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ({"prompt": "q", "completion": "a"}, [("user", "q"), ("assistant", "a")]),
        (
            {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
            [("user", "q"), ("assistant", "a")],
        ),
        (
            {"instruction": "Sum up.", "input": "x y", "output": "a", "system": "Be brief."},
            [("system", "Be brief."), ("user", "Sum up.\n\nx y"), ("assistant", "a")],
        ),
        ({"instruction": "Say a.", "input": "", "output": "a"}, [("user", "Say a."), ("assistant", "a")]),
        ({"question": "3+6?", "answer": "9\n#### 9"}, [("user", "3+6?"), ("assistant", "9\n#### 9")]),
    ],
)
def test_row_2_each_shape_becomes_messages(line, messages):
    assert told(line)[0] == messages


def test_row_7_the_answer_stays_to_verify_by():
    _, row = told({"question": "3+6?", "answer": "9\n#### 9", "license": "MIT"})
    assert orjson.loads(row["metadata"]) == {"answer": "9\n#### 9", "license": "MIT"}
    assert row["origin"] == "demonstrated"
    assert told({"prompt": "q", "completion": "a", "origin": "synthesized"})[1]["origin"] == "synthesized"


@pytest.mark.parametrize(
    "line", [{"prompt": "q"}, {"prompt": "q", "completion": 7}, {"type": "x", "prompt": "q", "completion": "a"}]
)
def test_other_formats_are_left_to_others(line):
    assert not PromptDataset().recognises(line)


def test_an_empty_list_is_refused():
    with pytest.raises(Unreadable, match="no_messages"):
        PromptDataset().read({"prompt": [], "completion": "a"})
