"""What changed between two versions of a set, over the small home of test_catalog."""

import os

import pytest

from flywheel.audit.difference import version
from flywheel.errors import SnapshotMissing
from flywheel.storage.catalog import Catalog
from flywheel.storage.releases import remember
from tests.storage.test_catalog import export, home, label_home, set_home

__all__ = ["home"]


def test_diff_names_what_changed_and_why(home):
    label_home(home, thumb=-1)
    set_home(
        home, {"openai_chat:r4": ("train", "z"), "openai_chat:r2": ("train", "n")}, {"openai_chat:r1": "undesired"}
    )
    with Catalog.open(home) as catalog:
        change = catalog.diff("support", "current", "candidate")
    assert change["counts"] == {"added": 1, "removed": 1, "changed": 1, "moved": 1}
    assert change["removed"] == [
        {
            "id": "openai_chat:r1",
            "split": "train",
            "why": ["openai_chat:r1: thumb was 1, is now -1", "is refused: undesired"],
        }
    ]
    assert change["moved"][0]["split_old"] == "validation"
    assert change["changed"][0]["id"] == "openai_chat:r4"


def test_diff_of_a_version_with_itself_is_empty(home):
    now = home.store.head("support").version
    change = Catalog.open(home).diff("support", now[:8], "current")
    assert change["counts"] == {"added": 0, "removed": 0, "changed": 0, "moved": 0}


@pytest.mark.parametrize(
    ("name", "old", "said"),
    [
        ("suport", "current", r'there is no set "suport"\. Did you mean "support"\?'),
        ("support", "previous", "released only once"),
        ("support", "zzzz", 'is no version of "support"'),
        ("curated", "current", 'there is no set "curated"'),
    ],
)
def test_diff_refuses_what_is_not_there(home, name, old, said):
    with pytest.raises(SnapshotMissing, match=said):
        Catalog.open(home).diff(name, old, "current")


def test_previous_is_what_was_released_before_whatever_the_times_of_files(home):
    first = home.store.head("support").version[:12]
    second = export(home, set_home(home, {"openai_chat:r4": ("train", "z")}, {}))
    remember(home, "support", first)
    remember(home, "support", second)
    os.utime(home.exports / "support" / first / "manifest.json")  # as after a copy, the older file is the newer one
    assert version(home, "support", "previous").version.startswith(first)
    assert version(home, "support", "current").version.startswith(second)


def test_previous_of_a_version_released_again_is_the_one_between(home):
    first = home.store.head("support").version[:12]
    second = set_home(home, {"openai_chat:r4": ("train", "z")}, {}).version[:12]
    for v in (first, second, first):
        remember(home, "support", v)
    assert version(home, "support", "previous").version.startswith(second)
