"""The planner: the arithmetic of the classic example, the optimum against every order, and orders that must be kept."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.tuning import planner
from flywheel.tuning.planner import Costed, cheapest, kept_before, total

DEDUP, CLEAN = Costed("dedup", 0.001, 0.4), Costed("clean", 0.010, 0.1)


def test_row_123_dedup_first_costs_700_seconds_and_clean_first_1090():
    """100,000 x 1 ms + 60,000 x 10 ms = 100 s + 600 s; 100,000 x 10 ms + 90,000 x 1 ms = 1,000 s + 90 s."""
    assert total([DEDUP, CLEAN], 100_000) == pytest.approx(700.0)
    assert total([CLEAN, DEDUP], 100_000) == pytest.approx(1_090.0)
    assert cheapest([CLEAN, DEDUP]) == [DEDUP, CLEAN]


def test_a_step_that_removes_nothing_comes_last():
    assert [s.name for s in cheapest([Costed("free", 0.0001), CLEAN, DEDUP])] == ["dedup", "clean", "free"]


STEPS = st.lists(st.tuples(st.floats(0.001, 10.0), st.floats(0.0, 0.9)), min_size=1, max_size=5).map(
    lambda pairs: [Costed(f"s{i}", cost, removes) for i, (cost, removes) in enumerate(pairs)]
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_row_123_no_order_is_cheaper(steps):
    assert total(cheapest(steps), 1_000) <= min(total(p, 1_000) for p in permutations(steps)) * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, pairs=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda p: p[0] < p[1])))
def test_no_order_that_keeps_what_must_be_kept_is_cheaper(steps, pairs):
    names = [s.name for s in steps]
    fixed = [(f"s{a}", f"s{b}") for a, b in pairs if f"s{b}" in names]
    before = kept_before(names, fixed)
    bound = [Costed(s.name, s.cost, s.removes, before[s.name]) for s in steps]

    def allowed(order):
        at = {s.name: i for i, s in enumerate(order)}
        return all(at[a] < at[b] for a, b in fixed)

    best = cheapest(bound)
    assert allowed(best)
    assert total(best, 1_000) <= min(total(p, 1_000) for p in permutations(bound) if allowed(p)) * (1 + 1e-9)


def test_many_steps_keep_what_must_be_kept(monkeypatch):
    monkeypatch.setattr(planner, "TRIED", 1)
    later = Costed("dedup", 0.001, 0.4, frozenset({"clean"}))
    assert [s.name for s in cheapest([later, CLEAN, Costed("cheap", 0.001, 0.5)])] == ["cheap", "clean", "dedup"]
