"""The order of releases, and what lies in the export folder."""

import json

import pytest

from flywheel.home import Home
from flywheel.storage.releases import before, exported, exported_lines, released, remember


@pytest.fixture
def home(tmp_path):
    """A home with four versions of a set on disk, of which `c` is current."""
    home = Home.create(tmp_path / "h")
    (home.store.root / "s").mkdir()
    for version in "abcd":
        folder = home.exports / "s" / version
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(
            json.dumps({"lines": {"train.jsonl": ["x", "y"], "trl/train.jsonl": ["x"]}})
        )
    (home.exports / "s" / "current").symlink_to("c")
    return home


def test_the_same_release_twice_is_noted_once(home):
    for version in ("b", "b", "c", "b"):
        remember(home, "s", version)
    assert released(home, "s") == ["b", "c", "b"]
    assert released(home, "t") == []


@pytest.mark.parametrize(
    ("noted", "version", "expected"),
    [
        ("ab", "b", "a"),
        ("ab", "a", None),
        ("aba", "a", "b"),
        ("ab", "z", "b"),  # one that was never noted comes after all that were
        ("", "a", None),
    ],
)
def test_which_version_was_before(home, noted, version, expected):
    for v in noted:
        remember(home, "s", v)
    assert before(home, "s", version) == expected


def test_versions_on_disk_are_ranked_by_their_last_release(home):
    for version in ("b", "c", "a", "c"):
        remember(home, "s", version)
    assert [(e.version, e.rank, e.current) for e in exported(home)] == [
        ("d", 1, False),  # nobody noted it
        ("b", 2, False),
        ("a", 3, False),
        ("c", 4, True),
    ]


def test_a_torn_line_is_passed_over(home):
    remember(home, "s", "a")
    with (home.store.root / "s" / "releases.jsonl").open("ab") as f:
        f.write(b'{"versi')
    assert released(home, "s") == ["a"]
    remember(home, "s", "b")
    assert released(home, "s") == ["a", "b"]


def test_every_line_of_an_export_has_its_example(home):
    (first, *_) = exported(home)
    assert [
        (r["file"], r["split"], r["line"], r["example_id"]) for r in exported_lines(first).iter_rows(named=True)
    ] == [
        ("train.jsonl", "train", 1, "x"),
        ("train.jsonl", "train", 2, "y"),
        ("trl/train.jsonl", "train", 1, "x"),
    ]
    (first.folder / "manifest.json").write_text("{")
    assert exported_lines(first).is_empty()
