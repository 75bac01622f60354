"""Axolotl: lines with train flags, and the configuration beside them."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.axolotl import Axolotl
from tests.trainers import CORPUS, COT, PAIR, PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert Axolotl().render(TURNS)["messages"] == [
        {"role": "user", "content": "hi", "train": False},
        {"role": "assistant", "content": "hello", "train": False},
        {"role": "user", "content": "Where is 7?", "train": False},
        {"role": "assistant", "content": "Shipped.", "train": True},
    ]
    assert Axolotl().render(COT)["messages"][-1]["reasoning_content"] == "3+4=7"
    assert Axolotl().render(PAIR)["chosen"] == {"role": "assistant", "content": "Shipped."}
    tools = Axolotl().render(TOOL_USE)
    assert [m["train"] for m in tools["messages"]] == [False, True, False, True]
    assert isinstance(tools["tools"][0]["function"]["parameters"], str)


@pytest.mark.parametrize("given", [PLAIN, PAIR, CORPUS])
def test_row_163_the_configuration_is_yaml_and_names_the_files(tmp_path, given):
    form, files = Axolotl(), {"train": "train.jsonl", "validation": "validation.jsonl"}
    told = form.companions("s", given["kind"], files)["axolotl.yaml"]
    (tmp_path / "axolotl.yaml").write_bytes(told)
    form.validate_folder(tmp_path, files)
    assert (b"rl: dpo" in told) is (given["kind"] == "preference")
    for wrong in (told.replace(b"train.jsonl", b"t.jsonl"), told.replace(b"ds_type", b"kind"), b"a: [", b"- 1"):
        (tmp_path / "axolotl.yaml").write_bytes(wrong)
        with pytest.raises(ExportInvalid):
            form.validate_folder(tmp_path, files)


REFUSED = [
    (example({"role": "user", "parts": '[{"type":"image_url","image_url":{"url":"x"}}]'}), "images"),
    (
        example("user: q", kind="preference", completion=TOOL_USE["completion"], rejected="assistant: n"),
        "reply_is_several_messages",
    ),
]
LOST = (TOOL_USE, ["name of tool"])
SOUND = [PLAIN, TOOL_USE, COT, TURNS]
FAULTS = [
    (PLAIN, [(("messages", 2, "train"), False)], "not trained on"),
    (PLAIN, [(("messages", 1, "train"), True)], "is trained on"),
    (PLAIN, [(("messages", 1, "train"), ...)], "train"),
    (TOOL_USE, [(("tools", 0, "function", "parameters"), {})], "parameters"),
    (PAIR, [(("chosen", "role"), "user")], "not the assistant's"),
    (PAIR, [(("rejected", "content"), "Shipped.")], "the same"),
    (CORPUS, [(("text",), "")], "empty"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Axolotl().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Axolotl().losses(given) == lost
    assert Axolotl().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Axolotl().render(given) for given in SOUND]
    assert all(Axolotl().fault(line) is None for line in lines)
    assert Axolotl().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Axolotl().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Axolotl().render(given)
    wrong = changed(good, *steps)
    assert Axolotl().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Axolotl().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Axolotl().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
