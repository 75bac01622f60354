"""The row that a place names, over the small home of test_catalog, which has two versions of a set."""

import pytest

from flywheel.audit.places import at_place
from flywheel.errors import UnknownRow
from flywheel.storage.catalog import Catalog
from tests.storage.test_catalog import home

__all__ = ["home"]


def test_the_current_version_is_meant_where_none_is_named(home):
    with Catalog.open(home) as catalog:
        lines = catalog.rows("FROM release_lines")
        current = {r["version"] for r in catalog.rows("FROM releases") if r["current"]}
        (top,) = [r for r in lines if r["version"] in current and r["file"] == "train.jsonl" and r["line"] == 1]
        for place in ("train.jsonl:1", "support/train.jsonl:1", "trl/train.jsonl:1", "support/trl/train.jsonl:1"):
            assert at_place(catalog, place) == top["example_id"]
        for row in lines:
            assert at_place(catalog, f"support/{row['version']}/{row['file']}:{row['line']}") == row["example_id"]


def test_a_name_in_two_sets_is_refused(home):
    version = next((home.exports / "support").glob("[!c.]*"))
    other = home.exports / "other" / version.name
    other.mkdir(parents=True)
    (other / "manifest.json").write_bytes((version / "manifest.json").read_bytes())
    (other.parent / "current").symlink_to(other.name)
    with (
        Catalog.open(home) as catalog,
        pytest.raises(UnknownRow, match=r"2 exported files are called \"train.jsonl\"; name one, such as: other/"),
    ):
        at_place(catalog, "train.jsonl:1")


@pytest.mark.parametrize("wanted", ["openai_chat:r1", "r1", "fb:1", ":3", "a:b:³"])
def test_what_is_no_place_is_left_to_the_ids(home, wanted):
    with Catalog.open(home) as catalog:
        assert at_place(catalog, wanted) is None


def test_a_raw_file_is_named_in_full_or_by_a_last_part_that_is_its_own(home):
    for name, text in (("logs/x.jsonl", b"{}\n"), ("feedback/x.jsonl", b"[]\n"), ("logs/y.jsonl", b"\n")):
        (home.path / "x").write_bytes(text)
        home.raw.keep(home.path / "x", name)
    with Catalog.open(home) as catalog:
        for place in ("logs/x.jsonl:9", "feedback/x.jsonl:9", "logs/y.jsonl:9", "y.jsonl:9"):
            with pytest.raises(UnknownRow, match="there is no such line"):
                at_place(catalog, place)
        with pytest.raises(
            UnknownRow, match=r'2 raw files are called "x\.jsonl"; name one: feedback/x\.jsonl, logs/x\.jsonl'
        ):
            at_place(catalog, "x.jsonl:1")
        with pytest.raises(UnknownRow, match=r'Did you mean "y\.jsonl"'):
            at_place(catalog, "yy.jsonl:1")


def test_a_line_in_quarantine_says_so(home):
    with Catalog.open(home) as catalog, pytest.raises(UnknownRow, match="it is in quarantine"):
        at_place(catalog, "log.jsonl:3")
