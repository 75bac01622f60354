"""Releases: files, manifest, card, pointer, and the gate before them."""

import json
import os
import shutil
import threading

import orjson
import polars as pl
import pytest

from flywheel.errors import ExportInvalid, ReleaseRefused
from flywheel.exports.openai import OpenAI
from flywheel.exports.trl import Trl
from flywheel.quality.targets import set_targets
from flywheel.rights.registry import Registry
from flywheel.sets import EXAMPLES
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.reward import Reward
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.stages.export import (
    ExportContext,
    ancestry,
    current,
    damaged,
    export,
    gate,
    may_release,
    placed,
    point,
    release,
    released_files,
)
from flywheel.storage.snapshots import Store, exchanged, file_digest
from tests.build import chat
from tests.pools import comparison, comparisons_of, label, labels_of, published, screened_of

VERDICTS = [{"name": "no_split_leaks", "passed": True, "severity": "error", "blocking": True, "summary": "0 groups"}]


def chats(n, **columns):
    return [
        chat(f"user: q{i}", f"assistant: r{i}", id=f"r{i:03}", conversation_id=f"c{i}", user=f"u{i}", **columns)
        for i in range(n)
    ]


def candidate_of(tmp_path, wanted, rows, **pool):
    """The candidate and what is told of it."""
    store = Store(tmp_path / "snapshots")
    found = published(store, rows, **pool)
    candidate = store.publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    return candidate, ExportContext("test", "0" * 32, VERDICTS, ancestry(store, candidate))


def released(tmp_path, wanted, rows, **pool):
    candidate, context = candidate_of(tmp_path, wanted, rows, **pool)
    return release(wanted, candidate, tmp_path / "exports", context)


def bytes_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(path):
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


SFT = Sft(name="support_sft", export=("openai", "trl"))


def test_row_2_every_file_of_a_release(tmp_path):
    made = released(tmp_path, SFT, screened_of(*chats(20)))
    assert sorted(bytes_of(made.path)) == [
        "README.md",
        "croissant.json", "manifest.json", "rows.parquet", "train.jsonl", "trl/train.jsonl", "trl/validation.jsonl", "validation.jsonl",
    ]  # fmt: skip
    assert (made.set, made.kind, dict(made.counts), made.fresh) == (
        "support_sft",
        "sft",
        {"train": 18, "validation": 2},
        True,
    )
    assert made.path == tmp_path / "exports" / "support_sft" / made.version
    assert os.readlink(made.path.parent / "current") == made.version
    assert dict(made.files) == {
        "train.jsonl": 18,
        "validation.jsonl": 2,
        "trl/train.jsonl": 18,
        "trl/validation.jsonl": 2,
    }
    assert made.readers["train.jsonl"] == "openai"
    assert not (tmp_path / "exports" / ".staging" / "support_sft").exists()


def test_every_line_leads_to_its_row(tmp_path):
    made = released(tmp_path, SFT, screened_of(*chats(20)))
    manifest = orjson.loads((made.path / "manifest.json").read_bytes())
    rows = pl.read_parquet(made.path / "rows.parquet")
    assert {c: rows.schema[c] for c in EXAMPLES} == dict(EXAMPLES)
    for split in ("train", "validation"):
        written = lines(made.path / f"{split}.jsonl")
        ids = manifest["lines"][f"{split}.jsonl"]
        assert manifest["lines"][f"trl/{split}.jsonl"] == ids
        assert [w["messages"][-1]["content"] for w in written] == [f"r{int(i[1:])}" for i in ids]
        placed = rows.filter(pl.col("split") == split).sort("line")
        assert placed.select("id", "line").rows() == [(i, n) for n, i in enumerate(ids, 1)]


def test_the_manifest_says_what_went_in_and_what_came_out(tmp_path):
    made = released(tmp_path, SFT, screened_of(*chats(20)))
    manifest = orjson.loads((made.path / "manifest.json").read_bytes())
    assert manifest["files"].keys() == set(bytes_of(made.path)) - {"manifest.json"}
    assert all(file_digest(made.path / name) == fact["sha256"] for name, fact in manifest["files"].items())
    assert manifest["files"]["train.jsonl"]["lines"] == 18
    assert [i["name"] for i in manifest["inputs"]] == ["curated", "screened", "labels"]
    assert [d["name"] for d in manifest["derivation"]] == ["support_sft", "curated", "screened", "labels"]
    assert manifest["derivation"][0]["steps"][0]["use"] == "sft"
    assert manifest["checks"] == VERDICTS
    assert (manifest["set"], manifest["kind"], manifest["version"]) == ("support_sft", "sft", made.version)
    assert manifest["recipe"] == {"name": "test", "digest": "0" * 32}


def test_the_same_candidate_gives_the_same_bytes_anywhere(tmp_path):
    one = released(tmp_path / "1", SFT, screened_of(*chats(20)))
    two = released(tmp_path / "2", SFT, screened_of(*chats(20)))
    assert bytes_of(one.path) == bytes_of(two.path)


def test_releasing_again_writes_nothing(tmp_path):
    candidate, context = candidate_of(tmp_path, SFT, screened_of(*chats(20)))
    one = release(SFT, candidate, tmp_path / "exports", context)
    (one.path / "my notes.txt").write_text("mine")
    before = {p: p.stat().st_mtime_ns for p in one.path.parent.rglob("*")}
    two = release(SFT, candidate, tmp_path / "exports", context)
    assert (two.fresh, two.version) == (False, one.version)
    assert {p: p.stat().st_mtime_ns for p in one.path.parent.rglob("*")} == before


def test_a_damaged_release_is_named_and_mended(tmp_path):
    candidate, context = candidate_of(tmp_path, SFT, screened_of(*chats(20)))
    made = release(SFT, candidate, tmp_path / "exports", context)
    good, folder = bytes_of(made.path), made.path.parent
    assert damaged(folder) == []
    (made.path / "train.jsonl").write_bytes(b"x")
    (made.path / "rows.parquet").unlink()
    assert damaged(folder) == ["rows.parquet", "train.jsonl"]
    assert "rows.parquet" in released_files(folder)
    assert release(SFT, candidate, tmp_path / "exports", context).fresh
    assert bytes_of(made.path) == good
    (made.path / "manifest.json").write_bytes(b"{")
    assert (damaged(folder), released_files(folder)) == (["manifest.json"], [])
    shutil.rmtree(made.path)
    assert (damaged(folder), current(folder)) == (["current"], None)


def test_the_pointer_moves_to_the_new_version_and_back(tmp_path):
    old = released(tmp_path, SFT, screened_of(*chats(20)))
    new = released(tmp_path, SFT, screened_of(*chats(30)))
    folder = tmp_path / "exports" / "support_sft"
    assert old.version != new.version
    assert current(folder) == new.path
    assert old.path.exists()
    back = released(tmp_path, SFT, screened_of(*chats(20)))
    assert (current(folder), back.fresh) == (old.path, False)


def wrote(text):
    return lambda folder: (folder / "train.jsonl").write_text(text)


def test_a_version_that_is_written_again_is_never_missing(tmp_path):
    """Whoever reads `current` meanwhile finds what was there or what is."""
    for name in "ab":
        (tmp_path / name).mkdir()
    if not exchanged(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange two folders")
    placed(tmp_path, "s", "v", wrote("0"))
    point(tmp_path / "s", "v")
    found: list[str] = []
    over = threading.Event()

    def look():
        while not over.is_set():
            try:
                found.append((tmp_path / "s" / "current" / "train.jsonl").read_text())
            except FileNotFoundError:
                found.append("missing")

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(100):
        placed(tmp_path, "s", "v", wrote(str(n)))
    over.set()
    reader.join()
    assert found
    assert "missing" not in found
    assert (tmp_path / "s" / "v" / "train.jsonl").read_text() == "99"
    assert not list((tmp_path / ".staging").iterdir())


def test_a_system_that_cannot_exchange_two_folders_sets_the_old_one_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("flywheel.stages.export.exchanged", lambda *_: False)
    for n in "01":
        placed(tmp_path, "s", "v", wrote(n))
        assert (tmp_path / "s" / "v" / "train.jsonl").read_text() == n
    assert not list((tmp_path / ".staging").iterdir())


def test_what_a_killed_run_left_is_swept_away(tmp_path):
    left = tmp_path / "exports" / ".staging" / "support_sft" / "0123456789ab" / "trl"
    left.mkdir(parents=True)
    (left / "half.jsonl").write_bytes(b"{")
    (tmp_path / "exports" / "support_sft").mkdir()
    (tmp_path / "exports" / "support_sft" / ".current").symlink_to("gone")
    made = released(tmp_path, SFT, screened_of(*chats(20)))
    assert not left.exists()
    assert current(made.path.parent) == made.path
    assert "half.jsonl" not in str(list(bytes_of(made.path)))


def test_a_file_its_reader_refuses_is_not_released(tmp_path, monkeypatch):
    old = released(tmp_path, SFT, screened_of(*chats(20)))

    def mute(self, example):
        return {"messages": [{"role": "user", "content": "q"}]}

    monkeypatch.setattr(OpenAI, "render", mute)
    with pytest.raises(ExportInvalid, match="the last message is not the assistant's"):
        released(tmp_path, SFT, screened_of(*chats(30)))
    assert current(old.path.parent) == old.path
    assert [p.name for p in old.path.parent.iterdir() if p.is_dir() and not p.is_symlink()] == [old.version]


def test_a_reader_that_counts_otherwise_stops_the_release(tmp_path, monkeypatch):
    monkeypatch.setattr(Trl, "validate_file", lambda self, path: 1)
    with pytest.raises(ExportInvalid, match=r"trl/train\.jsonl: 18 lines were written and 1 read back"):
        released(tmp_path, SFT, screened_of(*chats(20)))


def test_what_a_format_cannot_hold_is_listed_with_its_reason(tmp_path):
    broken = {
        "role": "assistant",
        "tool_calls": '[{"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]',
    }
    rows = screened_of(*chats(20), chat("user: q", broken, id="z", conversation_id="z", user="z"))
    made = released(tmp_path, SFT, rows)
    manifest = orjson.loads((made.path / "manifest.json").read_bytes())
    assert manifest["refused"] == {"trl": {"z": "arguments_are_no_json"}}
    assert dict(made.refused) == {"trl": 1}
    assert sum(made.files.values()) == 21 + 20
    assert any("trl cannot hold 1 examples" in r for r in made.remarks)
    trl_first = released(tmp_path / "2", SFT.model_copy(update={"export": ("trl",)}), rows)
    assert pl.read_parquet(trl_first.path / "rows.parquet").filter(pl.col("id") == "z")["line"].to_list() == [None]


def test_row_163_losses_are_counted_with_examples(tmp_path):
    thought = {"role": "assistant", "content": "7", "reasoning": "3+4"}
    made = released(
        tmp_path, SFT, screened_of(*chats(20), chat("user: q", thought, id="z", conversation_id="z", user="z"))
    )
    assert orjson.loads((made.path / "manifest.json").read_bytes())["losses"] == {
        "openai": {"reasoning": {"rows": 1, "examples": ["z"]}}
    }
    assert "| `openai` | reasoning | 1 | z |" in (made.path / "README.md").read_text()


def test_a_small_file_is_valid_and_remarked(tmp_path):
    made = released(tmp_path, SFT, screened_of(*chats(3)))
    assert any("train.jsonl has 3 lines" in r and "fewer than 10" in r for r in made.remarks)


THUMBS = labels_of(*[label(f"r{i:03}", thumb=1 if i % 2 else -1) for i in range(20)])
RATINGS = labels_of(
    *[label(f"r{i:03}", ratings=[{"rater": "x", "value": 1.0 + i % 5, "feedback_id": str(i)}]) for i in range(20)]
)
EDITS = comparisons_of(*[comparison("edit", None, f"r{i:03}", correction=f"better {i}") for i in range(20)])


@pytest.mark.parametrize(
    ("wanted", "pool", "keys"),
    [
        (
            Preference(name="p", export=("openai", "trl")),
            {"comparisons": EDITS},
            {"input", "preferred_output", "non_preferred_output"},
        ),
        (Preference(name="p", export=("trl", "openai")), {"comparisons": EDITS}, {"prompt", "chosen", "rejected"}),
        (Kto(name="k", export=("trl",)), {"labels": THUMBS}, {"prompt", "completion", "label"}),
        (Reward(name="r", export=("trl",)), {"labels": RATINGS}, {"prompt", "completion", "score"}),
    ],
)
def test_every_kind_is_released_and_read_back(tmp_path, wanted, pool, keys):
    made = released(tmp_path, wanted, screened_of(*chats(20)), **pool)
    assert sum(made.counts.values()) == 20
    assert all(set(line) == keys for line in lines(made.path / "train.jsonl"))
    assert damaged(made.path.parent) == []


def test_an_empty_set_has_empty_files_and_a_card(tmp_path):
    made = released(tmp_path, SFT, screened_of(*chats(1)).clear())
    assert dict(made.counts) == {"train": 0, "validation": 0}
    assert (made.path / "train.jsonl").read_bytes() == b""
    assert "configs:" not in (made.path / "README.md").read_text()


def test_the_folder_loads_with_datasets_by_its_card(tmp_path):
    datasets = pytest.importorskip("datasets")
    made = released(tmp_path, SFT, screened_of(*chats(20)))
    loaded = datasets.load_dataset(str(made.path), cache_dir=str(tmp_path / "cache"))
    assert {s: len(loaded[s]) for s in loaded} == {"train": 18, "validation": 2}
    other = datasets.load_dataset(str(made.path), "trl", cache_dir=str(tmp_path / "cache"))
    assert set(other["train"].column_names) == {"prompt", "completion"}


def test_a_home_releases_with_its_recipe_and_its_whole_lineage(tmp_path):
    """`export` is `release` with what the home knows."""

    class Recipe:
        name, digest = "support", "ab" * 16
        rights, loop, serving = Registry(), None, None

    class Home:
        store, exports = Store(tmp_path / "snapshots"), tmp_path / "exports"

        def recipe(self):
            return Recipe()

    candidate, _ = candidate_of(tmp_path, SFT, screened_of(*chats(20)))
    made = export(Home(), SFT, candidate, VERDICTS)
    manifest = json.loads((made.path / "manifest.json").read_text())
    assert manifest["recipe"] == {"name": "support", "digest": "ab" * 16}
    assert [d["name"] for d in manifest["derivation"]] == ["support_sft", "curated", "screened", "labels"]


# --- the gate

BY_NAME = {t.name: t for t in set_targets(Kto(name="k"))}
BLOCKING, WARNING = BY_NAME["no_split_leaks"], BY_NAME["labels_are_balanced"]


def verdict(name, passed, blocking=True):
    return {
        "name": name,
        "passed": passed,
        "severity": "error" if blocking else "warn",
        "blocking": blocking,
        "summary": f"{name}: 3 found",
    }


@pytest.mark.parametrize(
    ("verdicts", "reasons"),
    [
        ([verdict("no_split_leaks", True)], []),
        ([verdict("no_split_leaks", True), verdict("labels_are_balanced", False, blocking=False)], []),
        ([], ["no_split_leaks has no verdict for this version; run: flywheel build."]),
        (
            [verdict("labels_are_balanced", True, blocking=False)],
            ["no_split_leaks has no verdict for this version; run: flywheel build."],
        ),
        ([verdict("no_split_leaks", False)], ["no_split_leaks failed: no_split_leaks: 3 found"]),
        ([verdict("no_split_leaks", None)], ["no_split_leaks failed: no_split_leaks: 3 found"]),
        ([verdict("no_split_leaks", True), verdict("another", False)], ["another failed: another: 3 found"]),
        ([verdict("no_split_leaks", False, blocking=False)], ["no_split_leaks failed: no_split_leaks: 3 found"]),
    ],
)
def test_the_gate_wants_a_passed_verdict_of_every_blocking_check(tmp_path, verdicts, reasons):
    assert may_release(verdicts, [BLOCKING, WARNING]) == reasons
    candidate, _ = candidate_of(tmp_path, SFT, screened_of(*chats(3)))
    if not reasons:
        return gate(candidate, verdicts, [BLOCKING, WARNING])
    with pytest.raises(
        ReleaseRefused, match=f"support_sft {candidate.version[:12]} is not released: {reasons[0][:20]}"
    ):
        gate(candidate, verdicts, [BLOCKING, WARNING])


def test_without_verdicts_every_blocking_target_of_a_set_is_a_reason():
    targets = set_targets(SFT)
    assert len(may_release([], targets)) == sum(t.blocking for t in targets) > 3


EVERY_SFT = ("alpaca", "axolotl", "bedrock", "fireworks", "gemini", "huggingface", "llama_factory", "mistral", "openai", "sharegpt", "together", "trl")  # fmt: skip


def test_row_163_every_format_of_one_set_holds_the_same_rows(tmp_path):
    """Row 162 too: the ids behind the lines are equal across formats."""
    made = released(tmp_path, Sft(name="support_sft", export=EVERY_SFT), screened_of(*chats(20)))
    manifest = orjson.loads((made.path / "manifest.json").read_bytes())
    ids = manifest["lines"]["train.jsonl"]
    assert all(i == ids for name, i in manifest["lines"].items() if "train" in name)
    assert {"dataset_info.json", "axolotl/axolotl.yaml", "llama_factory/dataset_info.json"} <= set(manifest["files"])
    assert manifest["files"].keys() == set(bytes_of(made.path)) - {"manifest.json"}
    assert "refused" not in manifest or not manifest["refused"]


def test_row_163_a_hugging_face_folder_may_stand_at_the_top(tmp_path):
    import datasets

    made = released(tmp_path, Sft(name="support_sft", export=("huggingface", "openai")), screened_of(*chats(20)))
    loaded = datasets.load_dataset(str(made.path), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 18, "validation": 2}
    assert "# support_sft" in (made.path / "README.md").read_text()


def test_a_row_against_the_rules_of_a_format_is_refused_and_the_rest_released(tmp_path):
    broken = chat("user: a", "user: b", "assistant: c", id="r999", conversation_id="c999", user="u999")
    made = released(tmp_path, Sft(name="s", export=("bedrock", "trl")), screened_of(*chats(20), broken))
    manifest = orjson.loads((made.path / "manifest.json").read_bytes())
    assert manifest["refused"]["bedrock"].keys() == {"r999"}
    assert sum(len(i) for n, i in manifest["lines"].items() if n.startswith("trl/")) == 21


def test_a_file_beyond_the_limit_of_its_service_is_refused(tmp_path, monkeypatch):
    from flywheel.formats import limits as known

    monkeypatch.setattr(known, "limits", lambda use: known.Limits(as_of="2026-11-22", rows_max=5))
    with pytest.raises(ExportInvalid, match="18 rows; openai takes 5"):
        released(tmp_path, Sft(name="s", export=("openai",)), screened_of(*chats(20)))


def test_row_157_a_release_proves_what_its_template_learns(tmp_path):
    from flywheel.formats.chat_templates import template
    from flywheel.formats.tokenizer import shipped

    wanted = Sft(name="s", export=("trl",), template="chatml", max_tokens=512)
    manifest = orjson.loads((released(tmp_path, wanted, screened_of(*chats(20))).path / "manifest.json").read_bytes())
    told = manifest["template"]
    assert (told["name"], told["template_sha256"]) == ("chatml", template("chatml").digest)
    assert (told["tokenizer"], told["tokenizer_sha256"]) == ("small", shipped().digest)
    assert (told["end_of_turn"], told["max_tokens"]) == ("<|im_end|>", 512)
    assert (told["mask"]["examples"], told["mask"]["replies"], told["mask"]["faults"]) == (20, 20, {})
    assert 0 < told["mask"]["trained"] < told["mask"]["tokens"]
    assert told["probe"].endswith("<|im_start|>assistant\n")


def test_row_157_a_template_that_learns_nothing_blocks_the_release(tmp_path):
    from flywheel.formats.chat_templates import TemplateInvalid

    (tmp_path / "bare.jinja").write_text("{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")
    wanted = Sft(name="s", export=("trl",), template="bare.jinja").located(tmp_path)
    with pytest.raises(
        TemplateInvalid, match=r"bare.jinja trains wrongly on 20 of 20 examples, .*: no token is learned"
    ):
        released(tmp_path, wanted, screened_of(*chats(20)))
    assert current(tmp_path / "exports" / "s") is None


def test_row_157_a_template_that_changed_is_released_anew(tmp_path):
    from flywheel.formats.chat_templates import template

    file = tmp_path / "mine.jinja"
    file.write_text(template("chatml").source)
    wanted = Sft(name="s", export=("trl",), template="mine.jinja").located(tmp_path)
    candidate, context = candidate_of(tmp_path, wanted, screened_of(*chats(20)))
    assert [release(wanted, candidate, tmp_path / "exports", context).fresh for _ in range(2)] == [True, False]
    file.write_text(template("chatml").source + "{# anew #}")
    assert release(wanted, candidate, tmp_path / "exports", context).fresh


def test_row_162_the_same_rows_in_several_formats_have_the_same_ids(tmp_path):
    forms = (
        "openai",
        "trl",
        "trl_messages",
        "huggingface",
        "sharegpt",
        "axolotl",
        "unsloth",
        "tinker",
        "turns",
        "alpaca",
    )
    made = released(tmp_path, Sft(name="s", export=forms), screened_of(*chats(20)))
    lines_of = orjson.loads((made.path / "manifest.json").read_bytes())["lines"]
    for split in ("train", "validation"):
        told = {name: ids for name, ids in lines_of.items() if name.rpartition("/")[2].startswith(split)}
        assert len(told) == len(forms)
        assert len({tuple(ids) for ids in told.values()}) == 1


def test_row_163_kto_to_a_service_without_kto_is_refused():
    from flywheel.errors import RecipeInvalid
    from flywheel.recipe import parse_recipe

    text = 'name = "r"\n[[set]]\nname = "k"\nuse = "kto"\nexport = ["{}"]\n'
    for service in ("openai", "together", "fireworks", "gemini", "bedrock", "mistral", "tinker", "unsloth"):
        with pytest.raises(RecipeInvalid, match=f'"{service}" cannot hold a set of kind kto; expected one of .*trl'):
            parse_recipe(text.format(service))
