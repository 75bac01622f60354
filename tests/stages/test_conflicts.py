"""Pairs that contradict each other, counted exactly."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from flywheel.kinds import Threshold
from flywheel.quality.expectations import judge
from flywheel.quality.targets import wanted
from flywheel.signals.same_question import SameQuestion
from flywheel.stages.conflicts import CONFLICTS, EACH, conflicts, measured, pairs_of
from flywheel.storage.snapshots import Snapshot, Store
from tests.build import chat, rows
from tests.pools import screened_of, snapshot

Made = Callable[..., tuple[Snapshot, Snapshot]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The conflicts of conversations, and the pool they are in: made(("question", "answer"), …)."""

    def publish(*turns: tuple[str, str], **more: str) -> tuple[Snapshot, Snapshot]:
        store, signal = Store(tmp_path), SameQuestion()
        frame = rows(*[chat(f"user: {q}", f"assistant: {a}", id=f"s:{i}", **more) for i, (q, a) in enumerate(turns)])
        groups = signal.relate(signal.sketch(frame.lazy())).collect()
        curated = snapshot(store, "curated", {"rows": groups})
        screened = snapshot(store, "screened", {"rows": screened_of(frame)})
        return store.publish(conflicts(curated, screened)), curated

    return publish


def told(found: Snapshot) -> list[tuple[str, ...]]:
    return found.scan().select("kind", "id", "other", "verdict", "rule").collect().rows()


def test_row_19_one_question_answered_yes_and_no_is_listed(made: Made) -> None:
    found, _ = made(("Is it open?", "Yes."), ("is it open", "No."), ("Where is it?", "In the hall."))
    assert found.scan().collect().to_dicts() == [
        {
            "kind": "same_question",
            "group_id": "s:0",
            "id": "s:0",
            "other": "s:1",
            "verdict": "contradiction",
            "rule": "yes_or_no",
            "why": "one begins with yes, the other with no",
            "similarity": 0.0,
        }
    ]


def test_row_137_both_tables_are_counted_exactly(made: Made) -> None:
    """Three answers to one question are three pairs, one answer said twice counts once, and one answer to two questions
    is a pair of the other table."""
    found, curated = made(
        ("How long may I return it?", "You have 30 days to return it."),
        ("How long may I return it?", "You have 14 days to return it."),
        ("How long may I return it?", "Please send it back within 30 days, and we shall pay."),
        ("How long may I return it?", "You have 30 days to return it!"),
        ("Is it in stock?", "Please look at the shop."),
        ("Is it not in stock?", "Please look at the shop."),
        ("What does the large one cost?", "Please look at the shop."),
    )
    assert told(found) == [
        ("same_question", "s:0", "s:1", "contradiction", "numbers"),
        ("same_question", "s:0", "s:2", "variation", "wording"),
        ("same_question", "s:1", "s:2", "variation", "wording"),
        ("same_answer", "s:4", "s:5", "contradiction", "negation"),
        ("same_answer", "s:4", "s:6", "variation", "wording"),
        ("same_answer", "s:5", "s:6", "variation", "wording"),
    ]
    table = measured(found, curated)
    counts = dict(table.filter(metric="conflicts").select("segment", "value").iter_rows())
    assert counts == {
        "same_question: contradiction": 1,
        "same_question: variation": 2,
        "same_answer: contradiction": 1,
        "same_answer: variation": 2,
    }
    shares = dict(table.filter(metric="contradiction_share").select("segment", "value").iter_rows())
    assert shares == {
        "": pytest.approx(4 / 7),
        "same_question": pytest.approx(2 / 7),
        "same_answer": pytest.approx(2 / 7),
    }


@pytest.mark.parametrize(("bound", "passes"), [(None, False), (0.6, True)])
def test_row_19_the_check_has_a_rate_and_a_tolerance(made: Made, bound: float | None, passes: bool) -> None:
    found, curated = made(("Is it open?", "Yes."), ("Is it open?", "No."), ("Where?", "Here."), ("When?", "Now."))
    bounds = {} if bound is None else {"answers_agree": Threshold(max=bound)}
    (verdict,) = judge(wanted("conflicts", bounds), measured(found, curated))
    assert (verdict.passed, verdict.severity, verdict.observed) == (passes, "warn", 0.5)
    assert verdict.summary.startswith("50% of 4 rows contradict another")
    assert ("catalog table conflicts" in verdict.summary) is not passes


def test_system_prompts_are_kept_apart(tmp_path: Path, made: Made) -> None:
    signal, store = SameQuestion(), Store(tmp_path)
    frame = rows(
        chat("system: v1", "user: Is it open?", "assistant: Yes.", id="s:0"),
        chat("system: v2", "user: Is it open?", "assistant: No.", id="s:1"),
    )
    curated = snapshot(store, "curated", {"rows": signal.relate(signal.sketch(frame.lazy())).collect()})
    screened = snapshot(store, "screened", {"rows": screened_of(frame)})
    assert store.publish(conflicts(curated, screened)).count() == 0


def test_nothing_in_conflict_and_nothing_at_all(made: Made) -> None:
    found, curated = made(("Is it open?", "Yes."))
    assert found.scan().collect().schema == CONFLICTS
    assert found.count() == 0
    assert judge(wanted("conflicts", {}), measured(found, curated))[0].passed


def test_a_row_that_is_not_in_the_pool_is_in_no_pair(tmp_path: Path) -> None:
    store, signal = Store(tmp_path), SameQuestion()
    frame = rows(
        *[chat("user: Is it open?", f"assistant: {a}", id=f"s:{i}") for i, a in enumerate(["Yes.", "No.", "Yes!"])]
    )
    pool = signal.relate(signal.sketch(frame.lazy())).collect().filter(pl.col("id") != "s:1")
    screened = snapshot(store, "screened", {"rows": screened_of(frame)})
    assert store.publish(conflicts(snapshot(store, "curated", {"rows": pool}), screened)).count() == 0


def test_ten_thousand_answers_to_one_question_are_no_fifty_million_pairs() -> None:
    ids = [f"s:{i:05}" for i in range(10_000)]
    pool = pl.DataFrame({"id": ids, "question_group": ["s:00000"] * 10_000, "answer_group": ids})
    pairs = pairs_of(pool, "same_question")
    assert pairs.height == EACH * 10_000 - EACH * (EACH + 1) // 2
    assert set(pairs["other"]) == set(ids[1:])
    shuffled = pool.sample(fraction=1.0, shuffle=True, seed=1)
    assert pairs_of(shuffled, "same_question").equals(pairs)
