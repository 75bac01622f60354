"""Snapshots are published once, whole, and never changed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from flywheel.errors import SnapshotDamaged, SnapshotMissing, UnaccountedRows
from flywheel.lineage import Dataset, Derivation, Part, Step, cause
from flywheel.storage.snapshots import Snapshot, Store, replace_synced

ROWS = pl.Schema({"id": pl.String, "n": pl.Int64})
REJECTED = pl.Schema({"id": pl.String, "reasons": pl.List(pl.String)})


def part(name: str, ids: list[str], rejected: list[str] | None = None) -> Part:
    tables = {
        "rows": pl.DataFrame({"id": ids, "n": range(len(ids))}, schema=ROWS),
        "rejected": pl.DataFrame({"id": rejected or [], "reasons": [["bad"]] * len(rejected or [])}, schema=REJECTED),
    }
    return Part(name, cause(name, ids, rejected or []), lambda: tables)


def dataset(*parts: Part, name: str = "things", step: int = 0, expected: list[str] | None = None) -> Dataset:
    return Dataset(
        name,
        {"rows": ROWS, "rejected": REJECTED},
        parts,
        Derivation(
            operation="test", steps=(Step(use="x", parameters={"step": step, "parts": [p.key for p in parts]}),)
        ),
        accounts_for=None if expected is None else pl.LazyFrame({"id": expected}, schema={"id": pl.String}),
    )


def test_parts_already_there_are_not_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.publish(dataset(part("d1", ["a"]), part("d2", ["b"])))
    assert first.made == ("d1", "d2")
    second = store.publish(dataset(part("d1", ["a"]), part("d2", ["b"]), part("d3", ["c"])))
    assert second.made == ("d3",)
    assert second.scan().collect()["id"].to_list() == ["a", "b", "c"]
    assert store.head("things").version == second.version


def test_another_cause_with_the_same_content_has_the_same_version(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, two = (store.publish(dataset(part("d1", ["a"]), step=n)) for n in (1, 2))
    assert one.version == two.version
    assert one.key != two.key
    assert len(store.history("things")) == 2


def test_the_order_of_parts_does_not_matter(tmp_path: Path) -> None:
    a, b = part("d1", ["a"]), part("d2", ["b"])
    versions = {Store(tmp_path / str(i)).publish(dataset(*order)).version for i, order in enumerate([(a, b), (b, a)])}
    assert len(versions) == 1


def test_a_dataset_without_parts_has_its_columns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish(dataset())
    assert store.head("things").scan("rejected").collect().schema == REJECTED


def test_a_missing_dataset_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SnapshotMissing, match=r'"things" has not been made yet\. Run: flywheel build'):
        Store(tmp_path).head("things")


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    bad = Part(
        "d1",
        "k",
        lambda: {"rows": pl.DataFrame({"id": ["a"], "n": ["text"]}), "rejected": pl.DataFrame(schema=REJECTED)},
    )
    with pytest.raises(SnapshotDamaged, match="does not have the columns it promises"):
        Store(tmp_path).publish(dataset(bad))


@pytest.mark.parametrize(
    ("ids", "rejected", "expected", "fault"),
    [
        (["a"], ["b"], ["a", "b", "c"], "3 rows in, 1 kept and 1 rejected; 1 left without a reason, such as c"),
        (["a", "b"], ["b"], ["a", "b"], "1 both kept and rejected, such as b"),
        (["a", "z"], [], ["a"], "1 new without parents, such as z"),
    ],
)
def test_the_law_of_rows_stops_a_stage_that_loses_one(
    tmp_path: Path, ids: list[str], rejected: list[str], expected: list[str], fault: str
) -> None:
    store = Store(tmp_path)
    with pytest.raises(UnaccountedRows, match=fault):
        store.publish(dataset(part("d1", ids, rejected), expected=expected))
    assert store.head_key("things") is None


def test_the_law_of_rows_is_kept_by_rows_that_are_kept_or_rejected(tmp_path: Path) -> None:
    assert Store(tmp_path).publish(dataset(part("d1", ["a"], ["b"]), expected=["a", "b"])).count() == 1


def test_a_changed_byte_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    table = store.publish(dataset(part("d1", ["a"]))).parts[0].tables["rows"].path
    assert store.verify() == []
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    assert store.verify() == [f"{table} has changed since it was published."]


@pytest.mark.parametrize("spoil", [lambda f: f.unlink(), lambda f: f.write_bytes(f.read_bytes()[:-9])])
def test_a_part_that_lost_a_file_or_its_end_is_made_again(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    store = Store(tmp_path)
    whole = store.publish(dataset(part("d1", ["a"]), part("d2", ["b"])))
    spoil(whole.parts[0].tables["rows"].path)
    with pytest.raises(SnapshotDamaged, match=r"part d1 .* not there\. Run: flywheel build"):
        store.head("things")
    healed = store.publish(dataset(part("d1", ["a"]), part("d2", ["b"])))
    assert (healed.made, healed.version) == (("d1",), whole.version)
    assert store.head("things").scan().collect()["id"].to_list() == ["a", "b"]
    assert store.verify() == []
    assert not any(store.staging.iterdir())


@pytest.mark.parametrize(
    ("file", "data", "said"),
    [
        (
            lambda s: s.parts[0].tables["rows"].path.parent / "part.json",
            b"{",
            r"part\.json is damaged\. Delete the folder",
        ),
        (lambda s: s.parts[0].tables["rows"].path, None, r"rows\.parquet cannot be read .*\. Delete the folder"),
        (lambda s: manifest(s), b"[", r"the manifest .* is damaged .*\. Delete it, then run: flywheel build"),
        (lambda s: manifest(s), b"{}", r"is damaged \(it lacks derivation, notes, parts, schemas, version\)"),
    ],
)
def test_damage_is_a_sentence_with_its_cure(
    tmp_path: Path, file: Callable[[Snapshot], Path], data: bytes | None, said: str
) -> None:
    store = Store(tmp_path)
    path = file(store.publish(dataset(part("d1", ["a"]))))
    path.write_bytes(data if data is not None else b"x" * path.stat().st_size)
    with pytest.raises(SnapshotDamaged, match=said):
        store.head("things")


def test_a_damaged_manifest_is_written_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    whole = store.publish(dataset(part("d1", ["a"])))
    manifest(whole).write_bytes(b"[")
    assert store.publish(dataset(part("d1", ["a"]))).version == whole.version
    assert store.head("things").version == whole.version


def test_history_reads_no_part(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = (store.publish(dataset(part("d1", [i]), step=n)) for n, i in enumerate("ab"))
    shutil.rmtree(old.parts[0].tables["rows"].path.parent)
    assert {m.version for m in store.history("things")} == {old.version, new.version}
    found = store.find("things", new.version[:12])
    assert found is not None
    assert found.key == new.key
    assert store.find("things", "zzzz") is None


def manifest(snapshot: Snapshot) -> Path:
    return snapshot.parts[0].tables["rows"].path.parents[3] / snapshot.name / f"{snapshot.key}.json"


WRITER = """
import sys, polars as pl
from pathlib import Path
from tests.storage.test_snapshots import dataset, part
from flywheel.storage.snapshots import Store
store = Store(Path(sys.argv[1]))
for i in range(10_000):
    store.publish(dataset(*(part(f"d{j}", [f"r{j}-{i}"]) for j in range(3)), step=i))
    print(store.head("things").version, flush=True)
"""


@pytest.mark.fault
def test_a_killed_writer_leaves_only_whole_snapshots(tmp_path: Path) -> None:
    """Fifteen SIGKILLs at different moments: everything acknowledged is there and verifies, nothing half-made is seen."""
    store = Store(tmp_path / "s")
    for turn in range(15):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.root)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": "."},
        )
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(1 + turn)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if line.strip()]
        writer.wait()
        assert store.verify() == []
        versions = {s.version for s in store.history("things")}
        assert set(acknowledged) <= versions
        assert store.head("things").count() == 3
        store.sweep()
        assert not any(store.staging.iterdir())


def test_what_only_this_user_may_read_nobody_else_ever_could(tmp_path, monkeypatch):
    seen = []
    moved = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append(os.stat(a).st_mode & 0o777), moved(a, b)))
    replace_synced(tmp_path / "note", b"old", mode=0o600)
    replace_synced(tmp_path / "note", b"new", mode=0o600)
    assert seen == [0o600, 0o600]
    assert [p.name for p in tmp_path.iterdir()] == ["note"]
    assert (tmp_path / "note").read_bytes() == b"new"


def test_a_manifest_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch) -> None:
    made = Store(tmp_path).publish(dataset(part("d1", ["a"])))
    manifest = tmp_path / "things" / f"{made.key}.json"
    stored, later = Store.stored, manifest.read_bytes().replace(b'"notes":{}', b'"notes":{"said":"later"}')

    def replacing(self: Store, name: str, key: str):
        replace_synced(manifest, later)
        return stored(self, name, key)

    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "stored", replacing)
        assert store.head("things").notes == {}
    assert store.head("things").notes == {"said": "later"}
    assert store.head("things") is store.head("things")
