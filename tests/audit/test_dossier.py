"""Audit reports, over the small home of test_catalog."""

import hashlib
import re
import subprocess

import pytest

from flywheel.audit.dossier import audit, audit_set, block, code, fitting
from flywheel.errors import SnapshotMissing, UnknownRow
from flywheel.storage.catalog import Catalog
from tests.storage.test_catalog import LOG, home

__all__ = ["home"]


def report(home, wanted, texts=False):
    with Catalog.open(home) as catalog:
        made = audit(catalog, wanted, texts)
    return made, made.path.read_text()


def test_row_117_the_report_of_a_row_answers_every_question(home):
    made, text = report(home, "r1")
    assert made.path == home.path / "audits" / made.path.name
    assert (made.kind, made.sources, made.intact, made.sets) == ("conversation", 2, 2, 1)
    assert re.findall(r"^## \d\. (.*)$", text, re.M) == [
        "Where it comes from", "What happened to it", "What was changed", "What people said of it", "Where it went",
        "Rights", "How each set was made", "How to check this",
    ]  # fmt: skip
    assert hashlib.sha256(LOG.split(b"\n")[0]).hexdigest() in text
    assert "It is in the current release of support." in text
    assert "`make_screened@1`" in text
    again = made.path.read_bytes()
    report(home, "openai_chat:r1")
    assert made.path.read_bytes() == again


def test_a_reader_can_check_it_with_ordinary_tools(home):
    _, text = report(home, "r1")
    command = next(line for line in text.splitlines() if line.startswith("cat "))
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert told.split()[0] in text


def test_what_was_left_out_says_why(home):
    _, text = report(home, "r3")
    assert "It is in no current release. It was left out: `rejected: too_short, refusal`." in text
    assert "Nowhere: it is in no set." in text


def test_a_changed_byte_is_told_first(home):
    file = next(f for f in home.raw.files() if f.name == "log.jsonl")
    file.path.chmod(0o644)
    file.path.write_bytes(LOG.replace(b'"r1"', b'"x1"', 1))
    made, text = report(home, "r1")
    assert (made.sources, made.intact) == (2, 1)
    assert "**1 of them no longer have the bytes they were read with**" in text


def test_the_report_of_a_set_names_files_rows_and_steps(home):
    made, text = report(home, "support")
    assert made.path.name == f"support-{home.store.head('support').version[:12]}.md"
    assert all(f.digest in text for f in home.raw.files() if f.name == "log.jsonl") or "## 1. Raw files" in text
    assert "| screened |" in text
    assert "`make_curated@1`" in text
    assert audit_set(home, "support", "current").path == made.path


def test_unknown_things_are_refused(home):
    with pytest.raises(UnknownRow):
        report(home, "r99")
    with pytest.raises(SnapshotMissing, match="is no version"):
        report(home, "support@0000000")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a|b`c", "`a¦b'c`"),
        ("<script>", "`‹script>`"),
        ("two\nlines\x1b[0m", "`two lines\\x1b[0m`"),
        ("", ""),
        ("x" * 300, f"`{'x' * 200}`"),
    ],
)
def test_code_ends_where_it_should(value, shown):
    assert code(value) == shown


def test_a_block_is_longer_than_what_is_in_it():
    assert block("a", "````", "<b>") == "`````\na\n````\n<b>\n`````"


def test_an_event_holds_whole_sections():
    assert fitting(["# a", "b" * 100]) == "# a\n\n" + "b" * 100
    assert fitting(["# a", "b" * 9000, "c"]) == "# a\n\n*The rest is in the file.*"
