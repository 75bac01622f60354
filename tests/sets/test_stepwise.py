"""Stepwise sets: steps and their labels."""

import orjson
import pytest
from pydantic import ValidationError

from flywheel.errors import Unreadable
from flywheel.exports.huggingface import HuggingFace
from flywheel.exports.trl import Trl
from flywheel.sets.stepwise import Stepwise
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import published, screened_of
from tests.trainers import told, written

STEPS = "3 + 4 is 7.\n\n7 + 1 is 9.\nSo it is 9."


def formed(reply, labels, **parameters):
    metadata = None if labels is None else orjson.dumps({"step_labels": labels}).decode()
    return Stepwise(name="s", **parameters).form([told("user: q")], [told(reply)], {"metadata": metadata})


@pytest.mark.parametrize(
    ("labels", "reasons", "found"),
    [
        ([True, False, False], (), [True, False, False]),
        ([1, -1, 0], (), [True, False, False]),
        ([True, False], ("STEPS_MISMATCH",), None),
        (["yes", "no", "no"], ("BAD_STEP_LABEL",), None),
        ("yes", ("NO_STEP_LABELS",), None),
        (None, ("NO_STEP_LABELS",), None),
    ],
)
def test_each_step_has_a_label(labels, reasons, found):
    made = formed(f"assistant: {STEPS}", labels)
    assert (made.reasons, made.columns.get("step_labels")) == (reasons, found)
    assert [m["content"] for m in made.completion] == ([] if reasons else ["3 + 4 is 7.", "7 + 1 is 9.", "So it is 9."])


def test_reasoning_is_what_has_steps():
    made = formed({"role": "assistant", "reasoning": "a; b", "content": "9"}, [1, 1], step_mark=";")
    assert [m["content"] for m in made.completion] == ["a", "b"]


def test_a_mark_that_is_no_expression_is_refused():
    with pytest.raises(ValidationError, match=r"step_mark: the expression .* cannot be used: unclosed group"):
        Stepwise(name="s", step_mark="(")


def test_a_set_of_steps_takes_what_a_filter_calls_undesired_and_is_exported(tmp_path):
    labelled = '{"step_labels": [true, false, false]}'
    rows = screened_of(
        chat("system: s", "user: q", f"assistant: {STEPS}", id="a", metadata=labelled, user="a", conversation_id="a"),
        chat("user: r", "assistant: x", id="b", user="b", conversation_id="b"),
        undesired={"a": ["disliked"]},
    )
    found = published(Store(tmp_path), rows)
    made = Store(tmp_path).publish(assemble(Stepwise(name="s"), Inputs(**found), 1, (), b"k" * 32))
    (example,) = made.scan().collect().to_dicts()
    assert made.scan("rejected").collect().select("id", "reasons").rows() == [("b", ["NO_STEP_LABELS"])]
    line = Trl().render(example)
    assert line == {
        "prompt": "s\n\nq",
        "completions": ["3 + 4 is 7.", "7 + 1 is 9.", "So it is 9."],
        "labels": [True, False, False],
    }
    assert Trl().validate_file(written(tmp_path / "train.jsonl", line)) == 1
    HuggingFace().write(iter([orjson.dumps(HuggingFace().render(example))]), tmp_path / "train.parquet")
    assert HuggingFace().validate_file(tmp_path / "train.parquet") == 1
    with pytest.raises(Unreadable, match="prompt_is_several_turns"):
        Trl().render(example | {"prompt": [told("user: a"), told("assistant: b"), told("user: c")]})


def test_a_text_too_long_to_be_cut_is_left_out():
    assert formed("assistant: " + "a\n" * 50_001, [1, 1]).reasons == ("TOO_LONG_FOR_STEPS",)
