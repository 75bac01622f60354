"""The law of rows, and causes: what changes a key, what does not, and that every process agrees."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from flywheel.errors import UnaccountedRows
from flywheel.lineage import Derivation, SnapshotRef, Step, account, cause

ROOT = Path(__file__).resolve().parents[1]
STRINGS = pl.List(pl.String)


def ids(*wanted):
    return pl.LazyFrame({"id": list(wanted)}, schema={"id": pl.String})


def kept(**parents):
    return pl.LazyFrame(
        {"id": list(parents), "parents": list(parents.values())}, schema={"id": pl.String, "parents": STRINGS}
    )


def no(**reasons):
    return pl.LazyFrame(
        {"id": list(reasons), "reasons": list(reasons.values())}, schema={"id": pl.String, "reasons": STRINGS}
    )


# --- the law of rows


@pytest.mark.parametrize(
    ("expected", "rows", "rejected"),
    [
        (ids(), kept(), no()),
        (ids("a", "b"), ids("a", "b"), None),
        (ids("a", "b"), kept(a=[]), no(b=["too_short", "echo"])),
        (ids("a", "b"), kept(pair=["a", "b"]), None),  # used up by what was made of them
        (ids("a"), kept(a=[], made=["a"]), no()),  # kept, and something new was made of it
        (ids("a"), kept(new=["a"]), no(a=["over_quota"])),  # rejected itself, and yet a parent
        (ids("a", "a"), kept(a=[]), no()),
        (ids("a"), kept(a=[]), no(pair=["identical"])),  # what was refused need not have been expected
    ],
)
def test_rows_that_are_all_accounted_for(expected, rows, rejected):
    account("stage", expected, rows, rejected)


@pytest.mark.parametrize(
    ("expected", "rows", "rejected", "said"),
    [
        (
            ids("a", "b"),
            kept(a=[]),
            no(),
            "stage: 2 rows in, 1 kept and 0 rejected; 1 left without a reason, such as b.",
        ),
        (
            ids("a", "b"),
            kept(a=[]),
            no(b=[]),
            "1 left without a reason, such as b",
        ),  # a rejection without a reason is none
        (ids("a"), kept(a=[]), no(a=["echo"]), "1 both kept and rejected, such as a"),
        (ids("a"), kept(a=[], z=[]), no(), "1 new without parents, such as z"),
        (ids("a"), kept(a=[], z=None), no(), "1 new without parents, such as z"),
        (ids("a"), ids("a", "z"), None, "1 new without parents, such as z"),
        (ids(*"abcdef"), kept(), no(), "6 rows in, 0 kept and 0 rejected; 6 left without a reason, such as "),
    ],
)
def test_a_row_without_account_stops_the_stage(expected, rows, rejected, said):
    with pytest.raises(UnaccountedRows) as e:
        account("stage", expected, rows, rejected)
    assert said in str(e.value)
    assert "nothing was published" in str(e.value)


# --- causes

CAUSE = "from flywheel.lineage import Step, cause; print(cause('measure', [Step(use='tokens', parameters={'b': 1, 'a': [1.5, None, 'é']})], 'v1', b'x'))"


def test_every_process_gives_the_same_key():
    here = cause("measure", [Step(use="tokens", parameters={"a": [1.5, None, "é"], "b": 1})], "v1", b"x")
    for seed in ("0", "1", "random"):
        done = subprocess.run(
            [sys.executable, "-c", CAUSE],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b"), ("ab",)),
        (("a", "b"), ("b", "a")),
        (("a", ""), ("a",)),
        ((["a"], "b"), ("a", ["b"])),
        ((1,), (1.5,)),
        ((None,), ("",)),
        ((Step(use="x"),), (Step(use="x", version=2),)),
        ((Step(use="x"),), (Step(use="x", parameters={"a": 1}),)),
    ],
)
def test_other_causes_have_other_keys(one, other):
    assert cause(*one) != cause(*other)


def test_the_order_of_parameters_is_no_cause():
    assert cause(Step(use="x", parameters={"a": 1, "b": 2})) == cause(Step(use="x", parameters={"b": 2, "a": 1}))


# --- derivations

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
WHOLE = Derivation(
    operation="curate",
    inputs=(SnapshotRef(name="screened", version="v1"), SnapshotRef(name="labels", version="v2")),
    steps=(Step(use="keep", parameters={"policy": "newest"}),),
    watermark=NOON,
)


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "label"},
        {"inputs": WHOLE.inputs[:1]},
        {"inputs": WHOLE.inputs[::-1]},
        {"inputs": (SnapshotRef(name="screened", version="v3"), WHOLE.inputs[1])},
        {"steps": ()},
        {"steps": (Step(use="keep", parameters={"policy": "longest"}),)},
        {"watermark": None},
        {"watermark": NOON + dt.timedelta(microseconds=1)},
        {"engine": "0"},
    ],
)
def test_whatever_is_part_of_a_derivation_is_part_of_its_key(change):
    assert WHOLE.model_copy(update=change).key != WHOLE.key


def test_a_derivation_read_back_has_the_same_key():
    assert Derivation.model_validate_json(WHOLE.model_dump_json()).key == WHOLE.key
    assert len(WHOLE.key) == 32
