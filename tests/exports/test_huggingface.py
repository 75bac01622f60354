"""The Hugging Face folder: Parquet that load_dataset opens, with columns no row lends another."""

import datasets
import orjson
import polars as pl
import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.huggingface import HuggingFace
from tests.trainers import CALL, CORPUS, COT, KTO, PAIR, PLAIN, TOOL_USE, TOOLS, TURNS, changed, example

REWARD = example("user: q", kind="reward", score=0.5)


def folder_of(tmp_path, *given, kind="sft"):
    form = HuggingFace()
    lines = [form.render({**g, "id": f"x{n}"}) for n, g in enumerate(given)]
    form.write(iter([orjson.dumps(line) for line in lines]), tmp_path / "train.parquet")
    form.write(iter([]), tmp_path / "validation.parquet")
    files = {"train": "train.parquet"}
    for name, data in form.companions("s", kind, files).items():
        (tmp_path / name).write_bytes(data)
    return files, lines


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("sft", [PLAIN, TURNS]),
        ("cot", [COT]),
        ("tool_use", [TOOL_USE]),
        ("preference", [PAIR]),
        ("kto", [KTO]),
        ("reward", [REWARD]),
        ("corpus", [CORPUS]),
        ("detector", [example(kind="detector", completion="assistant: Once upon a time.", label=True)]),
    ],
)
def test_row_163_load_dataset_opens_the_folder(tmp_path, kind, given):
    files, lines = folder_of(tmp_path, *given, kind=kind)
    form = HuggingFace()
    assert form.reader() == "datasets"
    assert form.validate_file(tmp_path / "train.parquet") == len(given)
    assert form.validate_file(tmp_path / "validation.parquet") == 0
    form.validate_folder(tmp_path, files)
    loaded = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.to_list() for split, rows in loaded.items()} == {"train": lines}


def test_arguments_of_one_call_do_not_leak_into_another(tmp_path):
    other = {"role": "assistant", "tool_calls": CALL.replace('{\\"id\\":7}', '{\\"name\\":\\"x\\"}')}
    folder_of(tmp_path, TOOL_USE, example("user: q", completion=other, tools=TOOLS))
    rows = datasets.Dataset.from_parquet(str(tmp_path / "train.parquet"), cache_dir=str(tmp_path / "cache"))
    calls = [orjson.loads(m["tool_calls"]) for r in rows for m in r["completion"] if m["tool_calls"]]
    assert [c[0]["function"]["arguments"] for c in calls] == ['{"id":7}', '{"name":"x"}']


FAULTS = [
    (PLAIN, [(("completion", 0, "role"), "user")], "does not end with the assistant"),
    (PLAIN, [(("completion", 0, "role"), "bot")], "completion.0.role"),
    (PLAIN, [(("prompt",), [])], "prompt is empty"),
    (TOOL_USE, [(("tools",), "{")], "tools"),
    (TOOL_USE, [(("completion", 0, "tool_calls"), "{}")], "no JSON list"),
    (PAIR, [(("chosen",), PAIR["rejected"])], "chosen"),
    (CORPUS, [(("text",), " ")], "text is empty"),
]


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = HuggingFace().render(given)
    if says == "chosen":
        steps, says = [(("chosen",), good["rejected"])], "the same"
    wrong = changed(good, *steps)
    HuggingFace().write(iter([orjson.dumps(good), orjson.dumps(wrong)]), tmp_path / "a.parquet")
    with pytest.raises(ExportInvalid, match=f"row 2: .*{says}"):
        HuggingFace().validate_file(tmp_path / "a.parquet")


def test_row_163_a_folder_that_does_not_open_is_found(tmp_path):
    files, _ = folder_of(tmp_path, PLAIN)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(ExportInvalid, match="cannot be opened"):
        HuggingFace().validate_file(tmp_path / "bad.parquet")
    with pytest.raises(ExportInvalid, match="finds"):
        HuggingFace().validate_folder(tmp_path, {"train": "train.parquet", "test": "train.parquet"})
    card = (tmp_path / "README.md").read_bytes()
    (tmp_path / "README.md").write_bytes(card.replace(b"train.parquet", b"lost.parquet"))
    with pytest.raises(ExportInvalid, match="cannot open the folder"):
        HuggingFace().validate_folder(tmp_path, files)


def test_what_the_format_cannot_hold():
    with pytest.raises(Unreadable, match="content_is_not_text"):
        HuggingFace().render(example({"role": "user", "parts": '[{"type":"image_url","image_url":{"url":"x"}}]'}))
    assert HuggingFace().losses(example({"role": "user", "content": "q", "extra": "{}"})) == ["extra"]
    assert HuggingFace().losses(PLAIN) == []


def test_the_same_rows_give_the_same_bytes(tmp_path):
    lines = [orjson.dumps(HuggingFace().render(g)) for g in (PLAIN, TURNS)]
    for name in ("a", "b"):
        HuggingFace().write(iter(lines), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pl.read_parquet(tmp_path / "a")["id"].to_list() == ["x", "x"]
