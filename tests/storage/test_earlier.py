"""Lines of an earlier release are taken where the example is the same, and only there."""

import shutil
from functools import partial

import orjson
import polars as pl
import pytest

from flywheel.errors import ExportInvalid
from flywheel.exports import EXPORTS
from flywheel.formats import rendering
from flywheel.formats.limits import limits
from flywheel.kinds import Split
from flywheel.sets.corpus import Corpus
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.stages.export import ExportContext, ancestry, current, release
from flywheel.storage import earlier as reuse
from flywheel.storage.earlier import ROWS, earlier
from flywheel.storage.snapshots import Store, file_digest
from tests.build import chat
from tests.pools import comparison, comparisons_of, label, labels_of, published, screened_of

NAMED = {"role": "user", "content": "who", "name": "ann"}
"""TRL cannot carry the name."""
BROKEN = {
    "role": "assistant",
    "tool_calls": '[{"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]',
}
"""TRL refuses arguments that are no JSON."""
CALLS = [
    chat(f"user: q{i // 2}", f"assistant: r{i}", id=f"r{i:02}", conversation_id=f"c{i}", user=f"u{i}")
    for i in range(20)
]
CALLS += [chat(NAMED, f"assistant: n{i}", id=f"n{i}", conversation_id=f"n{i}", user=f"n{i}") for i in range(3)]
CALLS += [chat(f"user: t{i}", BROKEN, id=f"t{i}", conversation_id=f"t{i}", user=f"t{i}") for i in range(2)]
PAIRS = [comparison("choice", f"r{i:02}", f"r{i + 1:02}", feedback_id=f"f{i}") for i in range(0, 20, 2)]
SAID = [label(f"r{i:02}", thumb=1 if i % 3 else -1) for i in range(20)]
WANTED = [
    Sft(name="s", export=("openai", "trl")),
    Corpus(name="s", export=("huggingface",)),
    Preference(name="s", export=("huggingface", "trl", "openai")),
    Kto(name="s", export=("trl", "huggingface")),
]


@pytest.fixture
def rendered(monkeypatch):
    """The ids that were rendered, by format."""
    seen: list[tuple[str, str]] = []
    line = rendering._line

    def noting(form, example, no):
        seen.append((form.use, example["id"]))
        return line(form, example, no)

    monkeypatch.setattr(rendering, "_line", noting)
    return seen


def released(home, wanted, gone=(), reuse=True, calls=CALLS):
    """Release a version of a set; the calls `gone` are in the logs and no longer in the pool."""
    store = Store(home / "snapshots")
    told = {
        "labels": labels_of(*SAID),
        "comparisons": comparisons_of(*PAIRS),
        "instead": dict.fromkeys(gone, "elsewhere"),
    }
    found = published(store, screened_of(*calls), **told)
    made = store.publish(assemble(wanted, Inputs(**found), 1, (), b"k"))
    before = partial(earlier, current(home / "exports" / wanted.name), store, wanted.name) if reuse else None
    return release(
        wanted, made, home / "exports", ExportContext("test", "0" * 32, (), ancestry(store, made), before=before)
    )


def bytes_of(made):
    return {str(p.relative_to(made.path)): p.read_bytes() for p in sorted(made.path.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("wanted", WANTED, ids=lambda w: w.use)
def test_a_release_made_of_an_earlier_one_has_the_bytes_of_one_made_anew(tmp_path, rendered, wanted):
    released(tmp_path / "a", wanted)
    rendered.clear()
    after = released(tmp_path / "a", wanted, gone=["r04", "r09", "n1"])
    assert rendered == []
    anew = released(tmp_path / "b", wanted, gone=["r04", "r09", "n1"], reuse=False)
    assert len(rendered) == sum(anew.files.values()) + sum(anew.refused.values()) > 0
    assert bytes_of(after) == bytes_of(anew)
    assert (after.counts, after.refused) == (anew.counts, anew.refused)


@pytest.mark.parametrize("wanted", WANTED, ids=lambda w: w.use)
def test_only_what_is_new_is_rendered(tmp_path, rendered, wanted):
    released(tmp_path / "a", wanted, gone=["r02", "r07", "n0", "t1"])
    rendered.clear()
    after = released(tmp_path / "a", wanted)
    assert 0 < len(rendered) <= 4 * len(wanted.export)
    assert bytes_of(after) == bytes_of(released(tmp_path / "b", wanted, reuse=False))


def test_what_a_format_refused_or_lost_is_told_of_lines_that_are_taken_over(tmp_path, rendered):
    released(tmp_path, WANTED[0])
    rendered.clear()
    after = released(tmp_path, WANTED[0], gone=["n0", "r00"])
    assert rendered == []
    manifest = orjson.loads((after.path / "manifest.json").read_bytes())
    assert manifest["losses"]["trl"]["name"] == {"rows": 2, "examples": ["n1", "n2"]}
    assert manifest["refused"] == {"trl": dict.fromkeys(("t0", "t1"), "arguments_are_no_json")}
    rows = pl.read_parquet(after.path / ROWS)
    assert rows.filter(pl.col("lost").is_not_null())["lost"].to_list() == [["trl: name"], ["trl: name"]]
    assert rows.filter(pl.col("refused").is_not_null())["refused"].to_list() == [["trl: arguments_are_no_json"]] * 2


def test_an_example_that_changed_sides_or_its_score_is_rendered_again(tmp_path, rendered):
    half = Sft(name="s", export=("trl",), split=Split(validation=0.5))
    released(tmp_path / "a", half, gone=[f"r{i:02}" for i in range(12)])
    rendered.clear()
    after = released(tmp_path / "a", half)
    assert {id for _, id in rendered} >= {f"r{i:02}" for i in range(12)}
    assert bytes_of(after) == bytes_of(released(tmp_path / "b", half, reuse=False))


@pytest.mark.parametrize("file", ["train.jsonl", "trl/validation.jsonl", ROWS, "manifest.json"])
def test_a_release_that_is_damaged_is_not_used(tmp_path, rendered, file):
    path = released(tmp_path / "a", WANTED[0], gone=["r00"]).path / file
    path.write_bytes(path.read_bytes().replace(b"r1", b"x1").replace(b"PAR1", b"PAR2").replace(b"sha256", b"sha"))
    rendered.clear()
    after = released(tmp_path / "a", WANTED[0])
    assert len(rendered) == sum(after.files.values()) + sum(after.refused.values())
    assert bytes_of(after) == bytes_of(released(tmp_path / "b", WANTED[0], reuse=False))


def test_formats_in_another_order_lie_in_other_files(tmp_path, rendered):
    """The first format lies at the top of the folder: its files are no longer where those of the earlier release were."""
    released(tmp_path / "a", Sft(name="s", export=("openai", "trl")))
    turned = Sft(name="s", export=("trl", "openai"))
    assert bytes_of(released(tmp_path / "a", turned)) == bytes_of(released(tmp_path / "b", turned, reuse=False))


def test_an_earlier_version_that_is_damaged_is_not_used(tmp_path, rendered):
    before = released(tmp_path / "a", WANTED[0], gone=["r00"])
    path = Store(tmp_path / "a" / "snapshots").find("s", before.version).parts[0].tables["rows"].path
    data = path.read_bytes()
    path.write_bytes(data[:8] + bytes(400) + data[408:])
    rendered.clear()
    after = released(tmp_path / "a", WANTED[0])
    assert len(rendered) == sum(after.files.values()) + sum(after.refused.values())
    assert bytes_of(after) == bytes_of(released(tmp_path / "b", WANTED[0], reuse=False))


def test_another_engine_other_limits_and_another_version_of_a_format_render_everything_again(
    tmp_path, rendered, monkeypatch
):
    store, wanted = Store(tmp_path / "snapshots"), WANTED[0]
    made = released(tmp_path, wanted)
    forms = {use: EXPORTS[use]() for use in wanted.export}
    assert earlier(made.path, store, "s", forms) is not None
    assert earlier(made.path, store, "s", {"openai": forms["openai"]}) is None
    assert earlier(None, store, "s", forms) is None
    with monkeypatch.context() as patch:
        patch.setattr(reuse, "ENGINE", "another")
        assert earlier(made.path, store, "s", forms) is None
    with monkeypatch.context() as patch:
        patch.setattr(type(forms["trl"]), "version", 99)
        assert earlier(made.path, store, "s", forms) is None
    with monkeypatch.context() as patch:
        patch.setattr(reuse, "limits", lambda use: limits(use).model_copy(update={"tokens_max": 7}))
        assert earlier(made.path, store, "s", forms) is None
    shutil.rmtree(tmp_path / "snapshots")
    again = earlier(made.path, store, "s", forms)
    assert again is None or again.parts == {}


def test_lines_that_do_not_read_back_are_not_released_wherever_they_are_from(tmp_path):
    """A file is read back as a whole: lines that were taken over are no exception."""
    wanted = WANTED[0]
    made = released(tmp_path, wanted, gone=["r00"])
    file, manifest = made.path / "train.jsonl", made.path / "manifest.json"
    was = file_digest(file)
    file.write_bytes(file.read_bytes().replace(b'"role":"user"', b'"role":"loser"'))
    manifest.write_bytes(manifest.read_bytes().replace(was.encode(), file_digest(file).encode()))
    with pytest.raises(ExportInvalid, match="line 1"):
        released(tmp_path, wanted)
