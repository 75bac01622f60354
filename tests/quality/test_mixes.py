"""Usage measured from logs, and the distance of a set from it."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from flywheel.choices.follow import Follow, Usage
from flywheel.kinds import Threshold
from flywheel.quality import mixes
from flywheel.quality.expectations import judge
from flywheel.quality.tally import MEASURES
from flywheel.quality.targets import adjusted, set_targets
from flywheel.sets.sft import Sft
from flywheel.storage.snapshots import Snapshot, Store
from tests.build import chat
from tests.pools import snapshot


def logs(tmp_path: Path, *calls: tuple[str | None, str, int, dict[str, object]]) -> tuple[Snapshot, Snapshot]:
    """Conversations and their signals: application, user, day of March, and other columns of each call."""
    rows = pl.concat(
        [
            chat("user: q", "assistant: r", id=f"r{n}", app=app, user=user, occurred_at=noon(day), **more)
            for n, (app, user, day, more) in enumerate(calls)
        ]
    )
    store = Store(tmp_path / "snapshots")
    signals = rows.select(
        "id", "day", language=pl.when(pl.col("app") == "refund").then(pl.lit("ko")).otherwise(pl.lit("en"))
    )
    return snapshot(store, "conversations", {"rows": rows}), snapshot(store, "signals", {"rows": signals})


def noon(day: int) -> dt.datetime:
    return dt.datetime(2026, 3, day, 12, tzinfo=dt.UTC)


def calls(day: int = 2, **per_app: int) -> list[tuple[str | None, str, int, dict[str, object]]]:
    return [(app, f"u{n}", day, {}) for app, many in per_app.items() for n in range(many)]


@pytest.mark.parametrize(("n", "passed"), [(100, False), (1, True)])
def test_row_36_usage_against_the_set(tmp_path: Path, n: int, passed: bool) -> None:
    """Usage .5/.3/.2 against a set of .7/.2/.1: 0.20, beyond 0.05, unless the logs are so few that it may be noise."""
    there = logs(tmp_path, *calls(billing=5 * n, login=3 * n, refund=2 * n))
    wanted = Sft(
        name="s",
        examples=100,
        follow={
            "app": Follow(
                declared={"billing": 0.7, "login": 0.2, "refund": 0.1},
                usage=Usage(),
                blend={"declared": 1.0, "usage": 0.0},
            )
        },
    )
    wanted, told = mixes.followed(wanted, *there)
    assert wanted.mix["app"] == {"billing": 0.7, "login": 0.2, "refund": 0.1}
    made = {"app=billing": 70, "app=login": 20, "app=refund": 10}
    rows = pl.DataFrame({"cell": [c for c, many in made.items() for _ in range(many)]})
    set_ = snapshot(Store(tmp_path / "x"), "s", {"rows": rows})
    candidate = Snapshot(**{f: getattr(set_, f) for f in set_.__slots__} | {"notes": {"follow": told}})
    measured = mixes.measured(wanted, candidate, rows)
    assert [r for r in measured if r[0] == "usage_distance"] == [("usage_distance", "app", pytest.approx(0.20), 10 * n)]
    target = adjusted(next(t for t in set_targets(wanted) if t.name == "mix_follows_usage"), Threshold(confidence=0.95))
    (finding,) = judge([target], pl.DataFrame(measured, schema=MEASURES, orient="row"))
    assert finding.passed is passed
    assert "otal variation 0.2 between the set and the usage" in finding.summary
    assert ("Draw the axis by usage" in finding.summary) is not passed
    assert ("within noise" in finding.summary) is passed


def test_the_window_ends_with_the_newest_day_or_the_one_given(tmp_path: Path) -> None:
    there = logs(tmp_path, *calls(2, old=4), *calls(20, new=3), *calls(21, new=1))
    every = mixes.counted(*there, "app", Follow(usage=Usage(days=28)))
    assert (every.values, every.n, str(every.first), str(every.last)) == (
        {"new": 4.0, "old": 4.0}, 8, "2026-02-22", "2026-03-21",
    )  # fmt: skip
    assert mixes.counted(*there, "app", Follow(usage=Usage(days=1))).values == {"new": 1.0}
    until = Follow(usage=Usage(days=7, until=dt.date(2026, 3, 8)))
    assert mixes.counted(*there, "app", until).values == {"old": 4.0}
    nothing = mixes.counted(*there, "app", Follow(usage=Usage(days=2, until=dt.date(2026, 3, 10))))
    assert (nothing.values, nothing.n) == ({}, 0)


def test_a_user_counts_once_however_much_they_ask(tmp_path: Path) -> None:
    heavy = [("billing", "u0", 2, {})] * 6 + [("login", "u0", 2, {})] * 2
    there = logs(tmp_path, *heavy, ("login", "u1", 2, {}), (None, "u2", 2, {}))
    requests = mixes.counted(*there, "app", Follow(usage=Usage()))
    users = mixes.counted(*there, "app", Follow(usage=Usage(weight="users")))
    assert (requests.values, requests.n, requests.unknown) == ({"billing": 6.0, "login": 3.0}, 9, 1)
    assert (users.values, users.n, users.unknown) == ({"billing": 0.75, "login": 1.25}, 2, 1)


def test_only_production_counts_and_several_choices_are_one_call(tmp_path: Path) -> None:
    there = logs(
        tmp_path,
        ("a", "u", 2, {"environment": "staging"}),
        ("a", "u", 2, {"environment": None}),
        ("b", "u", 2, {"choice": 0}),
        ("b", "u", 2, {"choice": 1}),
    )
    assert mixes.counted(*there, "app", Follow(usage=Usage())).values == {"a": 1.0, "b": 1.0}
    every = Follow(usage=Usage(environments=("prod", "staging")))
    assert mixes.counted(*there, "app", every).values == {"a": 2.0, "b": 1.0}


def test_usage_of_a_signal_and_under_other_names(tmp_path: Path) -> None:
    there = logs(tmp_path, *calls(billing=3, refund=1))
    assert mixes.counted(*there, "language", Follow(usage=Usage())).values == {"en": 3.0, "ko": 1.0}
    named = Follow(usage=Usage(), values={"english": ("en",), "other": ("*",)})
    assert mixes.counted(*there, "language", named).values == {"english": 3.0, "other": 1.0}


def test_a_set_that_follows_nothing_is_as_it_was() -> None:
    wanted = Sft(name="s", mix={"app": {"a": 1.0}})
    assert mixes.followed(wanted) == (wanted, {})
