"""LLaMA-Factory: lines, dataset_info.json, and its rules of alternation."""

import orjson
import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.llama_factory import LlamaFactory
from tests.trainers import CALL, CORPUS, COT, KTO, PAIR, PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert LlamaFactory().render(PLAIN) == {
        "conversations": [{"from": "human", "value": "Where is 7?"}, {"from": "gpt", "value": "Shipped."}],
        "system": "Be brief.",
        "tools": "",
    }
    assert LlamaFactory().render(PAIR) == {
        "conversations": [{"from": "human", "value": "Where is 7?"}],
        "system": "",
        "tools": "",
        "chosen": {"from": "gpt", "value": "Shipped."},
        "rejected": {"from": "gpt", "value": "No idea."},
    }
    assert LlamaFactory().render(KTO)["kto_tag"] is False
    assert LlamaFactory().render(CORPUS) == {"text": "Once upon a time."}
    assert isinstance(LlamaFactory().render(TOOL_USE)["tools"], str)


@pytest.mark.parametrize("given", [PLAIN, PAIR, KTO, CORPUS, TOOL_USE])
def test_row_163_dataset_info_names_the_files_and_their_columns(tmp_path, given):
    form, files = LlamaFactory(), {"train": "train.jsonl", "validation": "validation.jsonl"}
    for name in files.values():
        written(tmp_path / name, form.render(given))
    told = form.companions("s", given["kind"], files)["dataset_info.json"]
    (tmp_path / "dataset_info.json").write_bytes(told)
    form.validate_folder(tmp_path, files)
    info = orjson.loads(told)
    assert list(info) == ["s_train", "s_validation"]
    assert info["s_train"].get("ranking", False) is (given["kind"] == "preference")
    for wrong in (
        told.replace(b"validation.jsonl", b"valid.jsonl"),
        told.replace(b'"conversations"', b'"dialogues"').replace(b'"text"', b'"txt"'),
        told.replace(b'"formatting"', b'"form"'),
        b"{",
    ):
        (tmp_path / "dataset_info.json").write_bytes(wrong)
        with pytest.raises(ExportInvalid):
            form.validate_folder(tmp_path, files)


REFUSED = [
    (example("user: a", "user: b"), "turns_do_not_alternate"),
    (example("user: a", "assistant: b", kind="preference", rejected="assistant: c"), "prompt_ends_with_the_assistant"),
    (
        example("user: a", completion={"role": "assistant", "tool_calls": CALL.replace('{\\"id\\":7}', "id=7")}),
        "arguments_are_no_json",
    ),
]
LOST = (TURNS, ["weight of earlier replies"])
SOUND = [PLAIN, TOOL_USE, COT, TURNS]
FAULTS = [
    (PLAIN, [(("conversations", 1), ...)], "1 turns; expected an even"),
    (PLAIN, [(("conversations", 0, "from"), "gpt")], "turn 1 is from gpt"),
    (PLAIN, [(("tools",), [])], "tools"),
    (PLAIN, [(("system",), ...)], "system"),
    (PAIR, [(("conversations",), [])], "0 turns; expected an odd"),
    (PAIR, [(("chosen", "from"), "human")], "is not the model's"),
    (PAIR, [(("chosen", "value"), "No idea.")], "the same"),
    (KTO, [(("kto_tag",), "true")], "kto_tag"),
    (CORPUS, [(("text",), " ")], "empty"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        LlamaFactory().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert LlamaFactory().losses(given) == lost
    assert LlamaFactory().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [LlamaFactory().render(given) for given in SOUND]
    assert all(LlamaFactory().fault(line) is None for line in lines)
    assert LlamaFactory().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert LlamaFactory().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = LlamaFactory().render(given)
    wrong = changed(good, *steps)
    assert LlamaFactory().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        LlamaFactory().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        LlamaFactory().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
