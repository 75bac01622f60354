"""Checks on the review queue: each passes on a sound home; a forgotten row fails the build."""

import polars as pl
import pytest

from flywheel.home import Home
from flywheel.quality.targets import TARGETS
from flywheel.stages import review
from tests.homes import Ran, call, drop, out_of_bounds

pytestmark = pytest.mark.slow
BATCH = '[[review]]\nname = "unsure"\nuse = "uncertainty"\nscore = "reply_chars"\nthreshold = 100\nsize = 5\n'


def test_a_sound_home_passes(finished: tuple[Home, Ran]) -> None:
    checks = {name: e for (a, name), e in finished[1].checks.items() if a == "review"}
    assert set(checks) == {t.name for t in TARGETS["review"]}
    assert all(e.passed for e in checks.values())


def test_a_forgotten_row_fails_the_build(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (target,) = [t for t in TARGETS["review"] if t.blocking]
    counted = review.measured
    worse = pl.when(pl.col("metric") == target.metric).then(pl.lit(out_of_bounds(target))).otherwise("value")
    monkeypatch.setattr(review, "measured", lambda *given: counted(*given).with_columns(value=worse))
    ran = Ran(home)
    assert not ran.checks["review", target.name].passed
    assert not ran.success


def test_an_answer_of_an_expert_takes_a_row_off_the_queue(home: Home) -> None:
    with home.recipe_file.open("a") as recipe:
        recipe.write(BATCH)
    assert Ran(home).success
    first = home.store.head("review").scan().collect()["id"].to_list()
    assert len(first) == 5
    when = "2026-03-05T12:00:00Z"
    said = {
        "event_id": "e1",
        "type": "rating",
        "value": 4,
        "request_id": first[0].partition(":")[2],
        "actor_kind": "expert",
    }
    drop(home, "feedback/expert.jsonl", said | {"created_at": when, "received_at": when})
    assert Ran(home).success
    second = home.store.head("review").scan().collect()["id"].to_list()
    assert first[0] not in second
    assert (len(second), set(first[1:]) <= set(second)) == (5, True)


def test_a_batch_whose_score_nobody_measured_warns(home: Home) -> None:
    drop(home, "logs/more.jsonl", call(40))
    with home.recipe_file.open("a") as recipe:
        recipe.write(BATCH.replace("reply_chars", "latency_ms"))
    found = Ran(home).checks["review", "every_batch_is_filled"]
    assert (found.passed, found.severity.value) == (False, "WARN")
    assert "5 rows short in the emptiest of 1 batches (unsure: 5)" in (found.description or "")
