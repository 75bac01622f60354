"""One equation, solved for each of its terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import PlanInvalid
from flywheel.quantity.budget import UNKNOWNS, Budget, examples_of, solved


def test_row_51_what_a_budget_buys() -> None:
    assert solved(Budget(money=10_000, price=2))["examples"] == 5_000
    assert solved(Budget(money=10_000, price=2, compute=2_000, overlap=0.3))["examples"] == 3_076
    assert solved(Budget(money=10_000, price=2, compute_share=0.2, overlap=0.3))["examples"] == 3_076


def test_row_53_examples_and_tokens() -> None:
    assert examples_of(2e12, 2_000) == 1.0e9
    assert examples_of(16e12, 2_000) == 8.0e9
    with pytest.raises(PlanInvalid, match="expected numbers above 0"):
        examples_of(1, 0)


WHOLE = {
    "money": 13_000.0,
    "examples": 4_000.0,
    "price": 2.0,
    "overlap": 0.25,
    "compute": 2_400.0,
    "judge_tokens": 500.0,
}


@pytest.mark.parametrize("unknown", UNKNOWNS)
def test_row_51_any_unknown_is_solved_for(unknown: str) -> None:
    """4,000 x (2 x 1.25 + 500 x 300 / 1e6) + 2,400 = 13,000."""
    found = solved(Budget(**{**WHOLE, unknown: None}, judge_price=300.0))
    assert found[unknown] == pytest.approx(WHOLE[unknown])
    assert solved(Budget(**WHOLE, judge_price=300.0), unknown)[unknown] == pytest.approx(WHOLE[unknown])


def test_a_share_for_training_and_no_money_yet() -> None:
    found = solved(Budget(examples=1_000, price=2, compute_share=0.2))
    assert (found["money"], found["compute"]) == (2_500.0, 500.0)


@given(st.floats(0, 1e6), st.floats(0.01, 100), st.floats(0, 2), st.floats(0, 1e5))
def test_what_is_bought_never_costs_more(money: float, price: float, overlap: float, compute: float) -> None:
    if compute > money:
        with pytest.raises(PlanInvalid, match="nothing is left for data"):
            solved(Budget(money=money, price=price, overlap=overlap, compute=compute))
        return
    n = solved(Budget(money=money, price=price, overlap=overlap, compute=compute))["examples"]
    assert n * price * (1 + overlap) + compute <= money * (1 + 1e-9) + 1e-6


@pytest.mark.parametrize(
    ("budget", "unknown", "why"),
    [
        (Budget(money=1, price=1, examples=1), None, "nothing is unknown; expected exactly one. Leave out"),
        (Budget(money=1), None, "examples, price is unknown; expected exactly one. Give price"),
        (Budget(money=1, price=0), None, "an example costs nothing, so any number can be had; give a price"),
        (Budget(money=100, price=2, examples=100), "compute", "compute would have to be -100.00: 100 does not pay"),
        (Budget(money=1, price=1, examples=1), "luck", '"luck" cannot be solved for; expected one of money'),
    ],
)
def test_what_cannot_be_solved(budget: Budget, unknown: str | None, why: str) -> None:
    with pytest.raises(PlanInvalid) as e:
        solved(budget, unknown)
    assert why in str(e.value)
