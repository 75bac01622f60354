"""Examples are taken from an earlier version of a set where they are the same, and only there."""

import polars as pl
import pytest

from flywheel import lineage
from flywheel.edits.redact_email import RedactEmail
from flywheel.sets.corpus import Corpus
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.sft import Sft
from flywheel.stages import parts_of_sets
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparison, comparisons_of, label, labels_of, published, screened_of

SECRET = b"k" * 32
EDITS = (RedactEmail(),)


@pytest.fixture
def formed(monkeypatch):
    """How many examples each call formed."""
    counted: list[int] = []
    form = parts_of_sets.written

    def counting(wanted, chosen, texts):
        counted.append(chosen.height)
        return form(wanted, chosen, texts)

    monkeypatch.setattr(parts_of_sets, "written", counting)
    return counted


CALLS = [
    chat(f"user: q{i // 2}", f"assistant: r{i}", id=f"r{i:02}", conversation_id=f"c{i}", user=f"u{i % 4}")
    for i in range(12)
]
MORE = chat("user: q12", "assistant: r12", id="r12", conversation_id="c12", user="u12")
SAID = [label(f"r{i:02}", thumb=1 if i % 2 else -1) for i in range(8)]
SAID += [label("r08", correction="write to a@b.co", corrected_by="edit")]
PREFERRED = [comparison("choice", f"r{i:02}", f"r{i + 1:02}", feedback_id=f"f{i}") for i in (2, 4, 6)]
KINDS = (Sft, Corpus, Kto, Preference)


def made(folder, kind, gone=(), before=None, edits=EDITS, calls=CALLS, **wanted):
    """A version of a set of one day; the calls `gone` are in the logs and no longer in the pool."""
    store = Store(folder / "snapshots")
    told = {
        "labels": labels_of(*SAID),
        "comparisons": comparisons_of(*PREFERRED),
        "instead": dict.fromkeys(gone, "elsewhere"),
    }
    found = published(store, screened_of(*calls), **told)
    return store.publish(assemble(kind(name="s", **wanted), Inputs(**found, before=before), 1, edits, SECRET))


def bytes_of(snapshot):
    return [{n: t.path.read_bytes() for n, t in p.tables.items()} for p in snapshot.parts]


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_made_of_an_earlier_one_has_the_bytes_of_one_made_anew(tmp_path, formed, kind):
    before = made(tmp_path / "a", kind)
    formed.clear()
    after = made(tmp_path / "a", kind, gone=["r00", "r02"], before=before)
    assert sum(formed) == 0
    assert 0 < after.count() < before.count()
    anew = made(tmp_path / "b", kind, gone=["r00", "r02"])
    assert sum(formed) == after.count()
    assert bytes_of(after) == bytes_of(anew)
    assert after.version == anew.version


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_new_is_formed(tmp_path, formed, kind):
    before = made(tmp_path / "a", kind, gone=["r01", "r02", "r09"])
    formed.clear()
    after = made(tmp_path / "a", kind, before=before)
    assert sum(formed) == after.count() - before.count() > 0
    assert bytes_of(after) == bytes_of(made(tmp_path / "b", kind))


def test_what_is_said_of_an_example_beside_its_text_is_said_anew(tmp_path, formed):
    before = made(tmp_path / "a", Sft, gone=[f"r{i:02}" for i in range(6)], split={"validation": 0.4})
    after = made(tmp_path / "a", Sft, before=before, split={"validation": 0.4})
    assert formed == [6, 6]
    was, now = (dict(s.scan().select("id", "split").collect().iter_rows()) for s in (before, after))
    assert any(now[i] != side for i, side in was.items())
    assert bytes_of(after) == bytes_of(made(tmp_path / "b", Sft, split={"validation": 0.4}))


def test_other_steps_other_texts_and_another_engine_form_everything_again(tmp_path, formed, monkeypatch):
    before = made(tmp_path, Sft, gone=["r00"])
    made(tmp_path, Sft, before=before, system="drop")
    made(tmp_path, Sft, before=before, edits=())
    made(tmp_path, Sft, before=before, calls=[*CALLS, MORE])
    monkeypatch.setattr(lineage, "ENGINE", "another")
    made(tmp_path, Sft, before=before)
    assert formed == [11, 12, 12, 13, 12]


def test_an_earlier_version_that_is_damaged_is_not_used(tmp_path, formed):
    before = made(tmp_path / "a", Sft, gone=["r00"])
    path = before.parts[0].tables["rows"].path
    whole = path.read_bytes()
    other = pl.read_parquet(path).with_columns(source=pl.lit("forged"))
    other.write_parquet(path, compression="zstd", compression_level=1, statistics=True)
    assert path.read_bytes() != whole
    after = made(tmp_path / "a", Sft, before=before)
    assert formed == [11, 12]
    assert bytes_of(after) == bytes_of(made(tmp_path / "b", Sft))


def test_what_redactions_find_is_counted_as_of_a_set_made_anew(tmp_path, formed):
    mails = [
        chat("user: q", f"assistant: ask {i}@b.co", id=f"mail{i}", conversation_id=f"m{i}", user="m") for i in "abc"
    ]
    before = made(tmp_path / "a", Sft, gone=["mailc"], calls=[*CALLS, *mails])
    assert before.scan("residue").collect()["count"].sum() == 2
    after = made(tmp_path / "a", Sft, gone=["maila", "r03"], calls=[*CALLS, *mails], before=before)
    assert formed == [14, 1]
    assert after.scan("residue").collect()["count"].sum() == 2
    assert bytes_of(after) == bytes_of(made(tmp_path / "b", Sft, gone=["maila", "r03"], calls=[*CALLS, *mails]))
    less = made(tmp_path / "a", Sft, gone=["maila", "mailb", "mailc"], calls=[*CALLS, *mails], before=after)
    assert less.scan("residue").collect()["count"].sum() == 0
