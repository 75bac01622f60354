"""What judging promises: it passes, it fails, and whatever goes wrong it fails closed."""

import math
import socket
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest

from flywheel.quality import expectations
from flywheel.quality.expectations import judge
from flywheel.quality.tally import MEASURES
from flywheel.quality.targets import TARGETS, Target

LOST = Target("none_lost", "lost_rows", "count", "{value} of {n} rows lost", "Look for them.", max=0)
SHARE = Target("few_bad", "bad_share", "share", "{value} of {n} rows bad", "Mend them.", max=0.05)
CELLS = Target("cells_full", "cell_rows", "count", "{value} of {n} rows in the smallest cell", "Bring logs.", min=5)
RANGE = Target("in_range", "level", "distance", "a level of {value} in {n} rows", "Level it.", min=1, max=2)


def table(*rows: tuple[str, str, float | None, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=MEASURES, orient="row")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "rows", "passed", "observed", "summary"),
    [
        (LOST, [("lost_rows", "", 0, 1204)], True, 0, "0 of 1,204 rows lost; none allowed."),
        (
            LOST,
            [("lost_rows", "", 7, 1204), ("lost_rows", "day=2", 7, 1204)],
            False,
            7,
            "7 of 1,204 rows lost (day=2: 7); none allowed. Look for them.",
        ),
        (SHARE, [("bad_share", "", 0.05, 40)], True, 0.05, "5% of 40 rows bad; at most 5% allowed."),
        (SHARE, [("bad_share", "", 0.0500001, 40)], False, 0.0500001, "5.00001% of 40 rows bad; at most 5% allowed. Mend them."),
        (CELLS, [("cell_rows", "en", 900, 905), ("cell_rows", "ko", 5, 905)], True, 5, "5 of 905 rows in the smallest cell; at least 5 wanted."),
        (
            CELLS,
            [("cell_rows", c, v, 950) for c, v in [("en", 900), ("ko", 4), ("de", 0), ("fr", 3), ("it", 2)]],
            False,
            0,
            "0 of 950 rows in the smallest cell (de: 0; it: 2; fr: 3; and 1 more); at least 5 wanted. Bring logs.",
        ),
        (RANGE, [("level", "", 1, 3)], True, 1, "A level of 1 in 3 rows; at least 1 and at most 2 wanted."),
        (RANGE, [("level", "", 2, 3)], True, 2, "A level of 2 in 3 rows; at least 1 and at most 2 wanted."),
        (RANGE, [("level", "", 2.5, 3), ("level", "x", 0.25, 3)], False, 0.25, "A level of 0.25 in 3 rows (x: 0.25); at least 1 and at most 2 wanted. Level it."),
    ],
)  # fmt: skip
def test_verdicts(target, rows, passed, observed, summary):
    [finding] = judge([target], table(*rows))
    assert (finding.passed, finding.observed, finding.summary) == (passed, observed, summary)
    assert type(finding.passed) is bool
    assert type(finding.observed) is float


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "the table of measures is empty"),
        ([("other", "", 0.0, 1)], 'the metric "bad_share" was not measured'),
        ([("bad_share_", "", 0.0, 1)], 'the metric "bad_share" was not measured'),
        ([("bad_share", "", None, 1)], "not a number"),
        ([("bad_share", "", math.nan, 1)], "not a number"),
        ([("bad_share", "", -math.inf, 1)], "not a number"),
        ([("bad_share", "", 0.0, 1), ("bad_share", "ko", math.nan, 1)], "not a number"),
    ],
)
@pytest.mark.parametrize("severity", ["error", "warn"])
def test_what_is_not_there_fails(rows, says, severity):
    [finding, healthy] = judge(
        [replace(SHARE, severity=severity), replace(LOST, metric="fine")],
        table(*rows, ("fine", "", 0.0, 1)) if rows else table(),
    )
    assert not finding.passed
    assert (finding.severity, finding.blocking, finding.observed) == (severity, severity == "error", None)
    assert says in finding.summary
    assert "cannot be judged fails" in finding.summary
    assert healthy.passed is bool(rows)


@pytest.mark.parametrize("target", [replace(SHARE, max=None), replace(SHARE, max=math.nan)])
def test_a_bound_that_is_none_fails(target):
    [finding] = judge([target], table(("bad_share", "", 0.0, 1)))
    assert not finding.passed
    assert "bound" in finding.summary


@pytest.mark.parametrize("error", [RuntimeError("boom"), ImportError("no module"), ValueError("list index")])
def test_an_exception_fails_closed(monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr(expectations, "_validate", broken)
    findings = judge([LOST, SHARE], table(("lost_rows", "", 0, 1), ("bad_share", "", 0, 1)))
    assert [f.passed for f in findings] == [False, False]
    assert all(type(error).__name__ in f.summary and str(error) in f.summary for f in findings)


@pytest.mark.slow
def test_an_exception_inside_great_expectations_fails_closed(monkeypatch):
    from great_expectations.expectations.core import ExpectColumnMaxToBeBetween

    def broken(*_, **__):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(ExpectColumnMaxToBeBetween, "_validate", broken)
    rows = table(("lost_rows", "", 0, 1), ("cell_rows", "", 9, 9))
    [lost, cells] = judge([LOST, CELLS], rows)
    assert not lost.passed
    assert "inside" in lost.summary
    assert cells.passed


def test_a_verdict_that_is_missing_fails(monkeypatch):
    monkeypatch.setattr(expectations, "_validate", lambda *_: {})
    [finding] = judge([LOST], table(("lost_rows", "", 0, 1)))
    assert not finding.passed
    assert "gave no verdict" in finding.summary


def test_off_is_said_and_not_judged(monkeypatch):
    monkeypatch.setattr(expectations, "_validate", lambda *_: pytest.fail("judged"))
    [seen, missing] = judge(
        [replace(SHARE, severity="off"), replace(LOST, severity="off")], table(("bad_share", "", 0.9, 10))
    )
    assert (seen.passed, seen.severity, seen.blocking) == (True, "off", False)
    assert seen.summary == "Declared off in the recipe; not judged: 90% of 10 rows bad."
    assert missing.summary == 'Declared off in the recipe; not judged: the metric "lost_rows" was not measured.'


@pytest.mark.slow
def test_worst_segments_come_first_and_are_few():
    rows = [("lost_rows", f"s{i:02}", i, 100) for i in range(30)]
    [finding] = judge([LOST], table(*rows))
    assert len(finding.worst) == 20
    assert finding.worst[0] == {"segment": "s29", "value": 29.0, "n": 100}


@pytest.mark.slow
def test_hostile_segments_stay_on_one_line():
    [finding] = judge([LOST], table(("lost_rows", "a\n![x](http://evil)\x1b[2J" + "x" * 500, 1, 1)))
    assert not finding.passed
    assert finding.summary.isprintable()
    assert len(finding.summary) < 300


@pytest.mark.slow
def test_every_target_there_is_passes_and_fails():
    """Each check of each asset, on a value far inside its bound and on one beyond it."""
    for targets in TARGETS.values():
        for ok in (True, False):
            rows = [(t.metric, "", _value(t, ok), 10) for t in targets]
            assert [(f.name, f.passed) for f in judge(targets, table(*rows))] == [(t.name, ok) for t in targets]


def _value(target: Target, ok: bool) -> float:
    if target.max is not None:
        return target.max if ok else target.max + 1
    assert target.min is not None
    return target.min if ok else target.min - 1


@pytest.mark.slow
def test_no_connection_is_opened(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    [finding] = judge([LOST], table(("lost_rows", "", 0, 1)))
    assert finding.passed


def test_importing_costs_nothing():
    code = "import sys, flywheel.quality.expectations; sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def few(confidence=0.95, **more):
    return replace(SHARE, max=0.02, proportion=True, confidence=confidence, **more)


@pytest.mark.slow
def test_a_share_that_wanders_about_its_bound_does_not_flap():
    told = [judge([few()], table(("bad_share", "", n / 500, 500)))[0].passed for n in (9, 10, 11, 9, 11, 10)]
    assert told == [True] * 6  # 1.8% to 2.2%
    assert [judge([few(None)], table(("bad_share", "", n / 500, 500)))[0].passed for n in (9, 10, 11)] == [
        True,
        True,
        False,
    ]
    assert not judge([few()], table(("bad_share", "", 25 / 500, 500)))[0].passed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "rows", "passed", "summary"),
    [
        (few(), [("bad_share", "", 0.022, 500)], True, "2.2% of 500 rows bad, within noise (95% interval 1.23% to 3.9%); at most 2% allowed."),
        (few(), [("bad_share", "", 0.018, 500)], True, "1.8% of 500 rows bad; at most 2% allowed."),
        (few(), [("bad_share", "", 0.05, 500)], False, "5% of 500 rows bad; at most 2% allowed. Mend them."),
        (few(), [("bad_share", "", 1.0, 1)], False, "100% of 1 rows bad; at most 2% allowed. Mend them."),
        (
            few(),
            [("bad_share", "", 0.05, 500), ("bad_share", "ko", 0.1, 10), ("bad_share", "en", 0.06, 400)],
            False,
            "6% of 400 rows bad (en: 6%); at most 2% allowed. Mend them.",
        ),
        (replace(few(), max=None, min=0.9), [("bad_share", "", 0.89, 100)], True, "89% of 100 rows bad, within noise (95% interval 81.4% to 93.7%); at least 90% wanted."),
        (replace(few(), max=None, min=0.9), [("bad_share", "", 0.7, 100)], False, "70% of 100 rows bad; at least 90% wanted. Mend them."),
        (few(), [("bad_share", "", 0.03, 0)], False, "3% of 0 rows bad; at most 2% allowed. Mend them."),
        (replace(few(), proportion=False), [("bad_share", "", 0.021, 500)], False, "2.1% of 500 rows bad; at most 2% allowed. Mend them."),
    ],
)  # fmt: skip
def test_a_band_of_noise(target, rows, passed, summary):
    [finding] = judge([target], table(*rows))
    assert (finding.passed, finding.summary) == (passed, summary)
    assert finding.observed in [value for _, _, value, _ in rows]


@pytest.mark.slow
def test_a_band_does_not_open_what_cannot_be_judged():
    for rows in (
        [("other", "", 0.0, 1)],
        [("bad_share", "", math.nan, 500)],
        [("bad_share", "", 0.01, 500), ("bad_share", "ko", None, 3)],
    ):
        [finding] = judge([few()], table(*rows))
        assert not finding.passed
        assert "cannot be judged fails" in finding.summary


@pytest.mark.slow
def test_two_checks_of_one_share_are_judged_each_by_its_own_band():
    sure, bare = judge([few(), replace(few(None), name="bare")], table(("bad_share", "", 0.022, 500)))
    assert (sure.passed, bare.passed) == (True, False)
