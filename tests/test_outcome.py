"""What a build came to, for people and for `--json`."""

import polars as pl
import pytest

from flywheel.home import Home
from flywheel.lineage import Dataset, Derivation, Part
from flywheel.outcome import behind, judged, outcome, set_outcome, stage, tally
from flywheel.storage.snapshots import Snapshot
from tests.pools import snapshot

RECIPE = 'name = "a"\n[[set]]\nname = "support"\nuse = "sft"\nexport = ["openai"]\n'
IDS = pl.DataFrame({"id": ["a", "b"], "split": ["train", "validation"]})
FILES = pl.DataFrame({"lines": [5, 4], "accepted": [4, 3], "quarantined": [1, 1]})
QUARANTINE = pl.DataFrame({"reason": ["not_json", "blank_line"]})
REJECTED = pl.DataFrame({"id": ["c", "d", "e"], "reasons": [["echo", "refusal"], ["echo"], ["refusal"]]})
ASIDE = pl.DataFrame({"id": ["a"], "status": ["repeated"]})
LEDGER = pl.DataFrame({"feedback_id": ["f", "g", "h"], "status": ["applied", "orphan", "orphan"]})


@pytest.fixture
def home(tmp_path):
    return Home.create(tmp_path / "h", RECIPE)


def check(passed, blocking):
    return {"asset": "x", "name": "y", "passed": passed, "severity": "error", "blocking": blocking, "summary": ""}


@pytest.mark.parametrize(
    ("success", "checks", "errors", "expected"),
    [
        (True, [check(True, True)], [], True),
        (True, [check(False, False)], [], True),  # a warning fails nothing
        (True, [check(False, True)], [], False),
        (False, [], [], False),
        (True, [], [{"step": "labels", "error": "the disk is full"}], False),
    ],
)
def test_what_counts_as_success(home, success, checks, errors, expected):
    assert outcome(home, "run", success, checks, errors)["success"] is expected


@pytest.mark.parametrize(
    ("name", "tables", "rows_in", "rows_out", "rejected", "quarantined"),
    [
        ("raw_files", {"files": FILES, "quarantine": QUARANTINE}, 9, 7, {}, 2),
        ("conversations", {"rows": IDS, "set_aside": ASIDE}, 3, 2, {"repeated": 1}, 0),
        ("screened", {"rows": IDS, "rejected": REJECTED}, 5, 2, {"echo": 2, "refusal": 1}, 0),
        ("labels", {"rows": IDS, "ledger": LEDGER}, 3, 1, {"orphan": 2}, 0),
    ],
)
def test_each_stage_says_what_went_in_and_why_rows_left(home, name, tables, rows_in, rows_out, rejected, quarantined):
    snapshot(home.store, name, tables)
    told = stage(home, name)
    assert (told["rows_in"], told["rows_out"], told["quarantined"]) == (rows_in, rows_out, quarantined)
    assert told["rejected"] == rejected
    if name != "raw_files":
        assert rows_in == rows_out + sum(rejected.values())


def test_every_reason_is_counted_beside_the_first(home):
    snapshot(home.store, "screened", {"rows": IDS, "rejected": REJECTED})
    assert stage(home, "screened")["reasons"] == {"echo": 2, "refusal": 2}


def test_a_stage_that_was_never_made_is_left_out(home):
    assert stage(home, "curated") is None
    assert outcome(home, "run", True, [], [])["stages"] == []


def test_reasons_are_counted_most_first(home):
    made = snapshot(home.store, "raw_files", {"quarantine": pl.DataFrame({"reason": ["b", "a", "b", "c"]})})
    assert list(tally(made, "quarantine", "reason").items()) == [("b", 2), ("a", 1), ("c", 1)]


def test_a_set_says_whether_this_version_is_the_released_one(home):
    assert set_outcome(home, "support", "sft") | {"name": None} == {
        "name": None,
        "kind": "sft",
        "version": None,
        "rows": 0,
        "train": 0,
        "validation": 0,
        "released": False,
        "path": None,
    }
    version = snapshot(home.store, "support", {"rows": IDS}).version[:12]
    for name, is_released in (("old", False), (version, True)):
        (home.exports / "support" / name).mkdir(parents=True)
        (home.exports / "support" / "current").unlink(missing_ok=True)
        (home.exports / "support" / "current").symlink_to(name)
        told = set_outcome(home, "support", "sft")
        assert (told["rows"], told["train"], told["validation"], told["released"]) == (2, 1, 1, is_released)
        assert told["path"].endswith(f"/support/{name}")


def test_what_an_earlier_build_made_is_said_to_be_behind(tmp_path):
    """A build that stops early shows the datasets after it as they are: made of inputs that have changed since."""
    home = Home.create(tmp_path / "home")
    schema = {"rows": pl.Schema({"id": pl.String()})}

    def publish(name: str, ids: list[str], *inputs: Snapshot) -> Snapshot:
        rows = pl.DataFrame({"id": ids}, schema=schema["rows"])
        cause = Derivation(operation=f"{name} {ids}", inputs=tuple(i.ref for i in inputs))
        return home.store.publish(Dataset(name, schema, [Part("all", cause.key, lambda: {"rows": rows})], cause))

    calls = publish("conversations", ["a"])
    signals = publish("signals", ["a"], calls)
    publish("curated", ["a"], signals)
    assert not behind(home, "curated")
    publish("conversations", ["a", "b"])
    assert [n for n in ("conversations", "signals", "curated", "nothing") if behind(home, n)] == ["signals", "curated"]


def test_what_this_build_refused_is_not_released_though_the_same_rows_were_before():
    made = {"name": "support", "released": True, "path": "/exports/support/abc"}
    assert judged(made, {"support"}) == made | {"released": False}
    assert judged(made, {"other"}) == made
