"""Alpaca lines: single questions only."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.alpaca import Alpaca
from tests.trainers import COT, KTO, PAIR, PLAIN, TOOL_USE, TOOLS, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert Alpaca().render(PLAIN) == {
        "instruction": "Where is 7?",
        "input": "",
        "system": "Be brief.",
        "output": "Shipped.",
    }
    assert Alpaca().render(PAIR) == {
        "instruction": "Where is 7?",
        "input": "",
        "system": "",
        "chosen": "Shipped.",
        "rejected": "No idea.",
    }
    assert Alpaca().render(KTO)["kto_tag"] is False


@pytest.mark.parametrize("given", [PLAIN, PAIR, KTO])
def test_row_163_llama_factory_opens_the_folder(tmp_path, given):
    form, files = Alpaca(), {"train": "train.jsonl"}
    written(tmp_path / "train.jsonl", form.render(given))
    told = form.companions("s", given["kind"], files)["dataset_info.json"]
    (tmp_path / "dataset_info.json").write_bytes(told)
    form.validate_folder(tmp_path, files)
    (tmp_path / "dataset_info.json").write_bytes(told.replace(b'"instruction"', b'"question"'))
    with pytest.raises(ExportInvalid, match="question"):
        form.validate_folder(tmp_path, files)


REFUSED = [
    (TURNS, "more_than_one_turn"),
    (TOOL_USE, "reply_is_not_plain_text"),
    (example(), "more_than_one_turn"),
]
LOST = (example("user: q", tools=TOOLS), ["tools"])
SOUND = [PLAIN, COT]
FAULTS = [
    (PLAIN, [(("output",), "")], "output is empty"),
    (PLAIN, [(("instruction",), " ")], "instruction is empty"),
    (PLAIN, [(("input",), ...)], "input"),
    (PLAIN, [(("history",), [])], "history"),
    (PAIR, [(("rejected",), "Shipped.")], "the same"),
    (KTO, [(("kto_tag",), 1)], "kto_tag"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Alpaca().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Alpaca().losses(given) == lost
    assert Alpaca().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Alpaca().render(given) for given in SOUND]
    assert all(Alpaca().fault(line) is None for line in lines)
    assert Alpaca().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Alpaca().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Alpaca().render(given)
    wrong = changed(good, *steps)
    assert Alpaca().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Alpaca().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Alpaca().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
