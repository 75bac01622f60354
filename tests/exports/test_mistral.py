"""Mistral lines: tool call ids of nine letters and digits."""

import re

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.mistral import Mistral, short_ids
from tests.trainers import PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_ids_are_short_stable_and_matched():
    line = Mistral().render(TOOL_USE)
    short = line["messages"][1]["tool_calls"][0]["id"]
    assert re.fullmatch("[a-zA-Z0-9]{9}", short)
    assert line["messages"][2]["tool_call_id"] == short
    assert Mistral().render(TOOL_USE) == line
    kept = {"tool_calls": [{"id": "abcDEF123"}, {"id": "call_1"}, {"id": "call_2"}]}
    ids = short_ids([kept])
    assert ids["abcDEF123"] == "abcDEF123"
    assert ids["call_1"] == short
    assert len(set(ids.values())) == 3


REFUSED = [(example({"role": "user", "parts": '[{"type":"image_url","image_url":{"url":"x"}}]'}), "images")]
LOST = (TOOL_USE, ["name of tool", "tool_call_id"])
SOUND = [PLAIN, TOOL_USE, TURNS]
FAULTS = [
    (TOOL_USE, [(("messages", 1, "tool_calls", 0, "id"), "call_1")], "nine letters"),
    (TOOL_USE, [(("messages", 2, "tool_call_id"), "abcDEF123")], "answers no call"),
    (PLAIN, [(("messages", 2, "weight"), 0)], "nothing to learn"),
    (PLAIN, [(("messages", 2, "refusal"), "x")], "refusal"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Mistral().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Mistral().losses(given) == lost
    assert Mistral().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Mistral().render(given) for given in SOUND]
    assert all(Mistral().fault(line) is None for line in lines)
    assert Mistral().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Mistral().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Mistral().render(given)
    wrong = changed(good, *steps)
    assert Mistral().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Mistral().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Mistral().validate_file(written(tmp_path / "a.jsonl", b"{\n"))


def test_row_163_mistral_reads_its_lines_itself(tmp_path):
    pytest.importorskip("mistral_common", reason='pip install "data-flywheel[readers]"')
    lines = [Mistral().render(e) for e in (PLAIN, TURNS, TOOL_USE)]
    assert Mistral().reader() == "mistral-common"
    assert Mistral().validate_file(written(tmp_path / "train.jsonl", *lines)) == 3
    odd = changed(lines[2], (("messages", 1, "tool_calls", 0, "function", "name"), "get order!"))
    with pytest.raises(ExportInvalid, match="line 2: mistral-common refuses it"):
        Mistral().validate_file(written(tmp_path / "odd.jsonl", lines[0], odd))
