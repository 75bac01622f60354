"""What a shorter prompt saves."""

import pytest

from flywheel.errors import PlanInvalid
from flywheel.quantity.economics import Serving, saving


def test_rows_122_160_a_shorter_prompt_saves() -> None:
    found = saving(420, 20, Serving(calls=1e6, price=0.15))
    assert (found.tokens_per_call, found.saved, found.break_even_calls) == (400, 60.0, 0.0)
    assert saving(420, 20, Serving(calls=1e6, price=0.15, training=90)).break_even_calls == 1_500_000


def test_row_122_a_cheaper_model_saves_on_every_token() -> None:
    found = saving(100, 100, Serving(calls=1e6, price=1.0, tuned_price=0.2, training=8))
    assert (found.before, found.after, found.saved, found.break_even_calls) == (100.0, 20.0, 80.0, 100_000)


def test_what_costs_more_never_pays_off() -> None:
    found = saving(20, 20, Serving(calls=1e6, price=0.15, tuned_price=0.3, training=10))
    assert (found.saved, found.break_even_calls) == (-3.0, None)
    assert saving(20, 20, Serving(calls=10, price=1.0, training=10)).break_even_calls is None


def test_lengths_that_cannot_be() -> None:
    with pytest.raises(PlanInvalid, match="expected numbers of at least 0"):
        saving(-1, 2, Serving(calls=1, price=1))
