"""Every examination of the doctor: well in a new home, and what it says of each thing broken on purpose."""

import json
import os
import socket

import polars as pl
import pytest

from flywheel.audit.doctor import examine
from flywheel.home import Home
from flywheel.lineage import Dataset, Derivation, Part
from flywheel.logs.inbox import take
from flywheel.storage.snapshots import file_digest
from tests.homes import free_port

ROWS = pl.DataFrame({"id": ["a"], "x": [1]})


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def home(tmp_path):
    """A home with one raw file, one dataset and one export."""
    home = Home.create(tmp_path / "h")
    (tmp_path / "log.jsonl").write_text('{"a": 1}\n')
    home.raw.keep(tmp_path / "log.jsonl")
    home.store.publish(
        Dataset(
            "odd", {"rows": ROWS.schema}, [Part("all", "k" * 32, lambda: {"rows": ROWS})], Derivation(operation="odd")
        )
    )
    version = home.exports / "s" / "v1"
    version.mkdir(parents=True)
    (version / "train.jsonl").write_text("{}\n")
    (version / "manifest.json").write_text(
        json.dumps({"files": {"train.jsonl": {"sha256": file_digest(version / "train.jsonl")}}})
    )
    (version.parent / "current").symlink_to("v1")
    return home


def test_a_sound_home_is_well(home, port):
    found = examine(home, port)
    assert [d.name for d in found if not d.ok] == []
    assert [d.name for d in found] == [
        *(
            "home",
            "writable",
            "recipe",
            "inbox",
            "raw files",
            "snapshots",
            "exports",
            "caches",
            "erasure",
            "catalog",
            "disk",
            "lock",
            "dagster",
            "telemetry",
            "port",
            "versions",
        )
    ]


def dropped_garbage(home):
    """Drop a file that is not what its name says, and let it be taken."""
    file = home.inbox / "logs" / "bad.jsonl.gz"
    file.write_bytes(b"not gzip")
    os.utime(file, (1e9, 1e9))
    take(home)


def spoil(path, data=b"spoiled"):
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "name", "said"),
    [
        (lambda h: (h.path / "dagster.yaml").unlink(), "home", "lacks dagster.yaml. Run: flywheel init"),
        (lambda h: h.key_file.unlink(), "home", "Restore pseudonym.key from a backup"),
        (lambda h: h.key_file.chmod(0o644), "home", "can be read by others. Run: chmod 600"),
        (lambda h: h.recipe_file.write_text('name = "a"\n[[filter]]\nuse = "x"'), "recipe", 'there is no "x"'),
        (lambda h: dropped_garbage(h), "inbox", "bad.jsonl.gz cannot be read as .jsonl.gz"),
        (lambda h: spoil(h.raw.files()[0].path), "raw files", "log.jsonl"),
        (
            lambda h: spoil(h.store.head("odd").parts[0].tables["rows"].path),
            "snapshots",
            "rows.parquet has changed since it was published. Delete",
        ),
        (lambda h: h.store.head("odd").parts[0].tables["rows"].path.unlink(), "snapshots", "rows.parquet is missing."),
        (
            lambda h: (h.exports / "s" / "v1" / "train.jsonl").write_text("x"),
            "exports",
            "train.jsonl has changed since it was released.",
        ),
        (lambda h: (h.exports / "s" / "v1" / "train.jsonl").unlink(), "exports", "train.jsonl is missing."),
        (
            lambda h: (h.exports / "s" / "v1" / "manifest.json").write_text("{"),
            "exports",
            "manifest.json cannot be read.",
        ),
        (
            lambda h: (h.exports / "s" / "v1").rename(h.exports / "s" / "v2"),
            "exports",
            "points at a version that is not there",
        ),
        (
            lambda h: (h.path / "dagster.yaml").write_text("telemetry: {enabled: true}"),
            "telemetry",
            "does not switch it off",
        ),
        (
            lambda h: (h.path / "history").mkdir() or (h.path / "history" / "runs.db").write_bytes(b"x" * 4096),
            "dagster",
            "is damaged",
        ),
    ],
)
def test_each_damage_is_named_with_its_cure(home, port, damage, name, said):
    damage(home)
    found = {d.name: d for d in examine(home, port)}
    assert not found[name].ok
    assert said in found[name].sentence


def test_a_missing_home_is_one_finding(tmp_path, port):
    found = examine(Home(tmp_path / "none"), port)
    assert [(d.name, d.ok) for d in found] == [("home", False), ("port", True), ("versions", True)]
    assert "Run: flywheel init" in found[0].sentence
    assert not (tmp_path / "none").exists()


def test_a_port_in_use_is_named(home):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        taken = s.getsockname()[1]
        found = {d.name: d for d in examine(home, taken)}
    assert (
        found["port"].sentence
        == f"{taken} on 127.0.0.1 is in use by another program. Choose another: flywheel up --port {taken + 1}"
    )
    assert not found["port"].ok


def test_a_held_home_is_busy_and_the_rest_is_examined(home, port):
    with home.lock():
        found = {d.name: d for d in examine(home, port)}
    assert [d.name for d in found.values() if not d.ok] == ["lock"]
    assert "is at work in" in found["lock"].sentence
