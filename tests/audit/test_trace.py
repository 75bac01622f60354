"""Lineage of single rows, over the small home of test_catalog."""

import hashlib

import pytest

from flywheel.errors import UnknownRow
from flywheel.storage.catalog import Catalog
from tests.storage.test_catalog import LOG, home, set_home

__all__ = ["home"]


# --- why


@pytest.mark.parametrize("wanted", ["openai_chat:r1", "r1"])
def test_why_leads_back_to_the_very_bytes(home, wanted):
    with Catalog.open(home) as catalog:
        story = catalog.why(wanted)
    assert story["id"] == "openai_chat:r1"
    assert [(s["kind"], s["line"]) for s in story["sources"]] == [("log", 1), ("feedback", 1)]
    for source in story["sources"]:
        with open(source["file"], "rb") as f:
            f.seek(source["byte_offset"])
            assert hashlib.sha256(f.read(source["length"])).hexdigest() == source["digest"]
        assert source["intact"]


def test_why_tells_every_step_in_order(home):
    with Catalog.open(home) as catalog:
        steps = catalog.why("r1")["steps"]
    assert [s["stage"] for s in steps] == [
        "ingest",
        "ingest",
        "ingest",
        "label",
        "measure",
        "curate",
        "curate",
        "curate",
        "assemble",
        "export",
    ]
    said = [s["what"] for s in steps]
    assert said[0] == "read from line 1 of log.jsonl"
    assert said[2] == "the same again in line 5 of log.jsonl; set aside"
    assert said[3].startswith("thumb -1 by end_user: applied")
    assert steps[4]["signals"] == {"prompt_chars": 2, "language": "en"}
    assert said[5] == "redact_email changed content of message 1 (2 times)"
    assert said[6:8] == ["passed every filter", "kept instead of 1 duplicate"]
    assert said[8] == "support: chosen for app=chat, train"
    assert said[9].endswith("line 1 of train (train.jsonl)")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("r3", "rejected: too_short, refusal"),
        ("r2", "near_duplicate: openai_chat:r1 is kept instead (similarity 0.900)"),
        ("f2", "edit by end_user: orphan"),
    ],
)
def test_why_says_why_not(home, wanted, said):
    with Catalog.open(home) as catalog:
        story = catalog.why(wanted)
    assert said in [s["what"] for s in story["steps"]]
    assert story["sets"] == []


def test_why_of_a_feedback_event_leads_to_the_set(home):
    with Catalog.open(home) as catalog:
        story = catalog.why("f1")
    assert (story["id"], story["kind"]) == ("fb:f1", "feedback")
    assert {s["kind"] for s in story["sources"]} == {"log", "feedback"}
    assert [(s["set"], s["split"], s["line"], s["current"]) for s in story["sets"]] == [("support", "train", 1, True)]


def test_why_notices_a_changed_byte(home):
    file = next(f for f in home.raw.files() if f.name == "log.jsonl")
    file.path.chmod(0o644)
    file.path.write_bytes(LOG.replace(b'"r1"', b'"x1"', 1))
    with Catalog.open(home) as catalog:
        assert [s["intact"] for s in catalog.why("r1")["sources"]] == [False, True]
    file.path.unlink()
    with Catalog.open(home) as catalog:
        assert [(s["digest"] is None, s["intact"]) for s in catalog.why("r1")["sources"]] == [
            (True, False),
            (False, True),
        ]


def test_why_names_every_version_that_holds_it(home):
    set_home(home, {"openai_chat:r1": ("validation", "x")}, {"openai_chat:r4": "over_quota"})
    with Catalog.open(home) as catalog:
        held = catalog.why("r1")["sets"]
        gone = catalog.why("r4")
    assert [(s["split"], s["line"], s["released"], s["candidate"]) for s in held] == [
        ("train", 1, True, False),
        ("validation", None, False, True),
    ]
    assert [s["line"] for s in gone["sets"]] == [1]
    assert "support: not taken, over_quota" in [s["what"] for s in gone["steps"]]


def test_an_unknown_id_gets_the_nearest(home):
    with (
        Catalog.open(home) as catalog,
        pytest.raises(UnknownRow, match=r'has the id "openai_chat:r11"\. Nearest: openai_chat:r1'),
    ):
        catalog.why("openai_chat:r11")
