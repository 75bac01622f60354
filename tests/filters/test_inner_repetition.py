"""Replies that say the same passage again."""

import polars as pl
import pytest

from flywheel.filters.inner_repetition import InnerRepetition
from flywheel.recipe import parse_recipe
from flywheel.signals.inner_repeat import InnerRepeat


@pytest.mark.parametrize(("share", "rejected"), [(0.0, False), (0.2, False), (0.21, True), (1.0, True), (None, None)])
def test_row_139_a_reply_that_repeats_itself_is_rejected(share: float | None, rejected: bool | None) -> None:
    frame = pl.DataFrame({"inner_repeat": [share]}, schema={"inner_repeat": pl.Float64})
    assert frame.select(InnerRepetition().reject()).to_series().to_list() == [rejected]


def test_its_signal_is_measured_where_it_is_asked_for() -> None:
    wish = 'name = "r"\n[[filter]]\nuse = "inner_repetition"\n'
    assert InnerRepeat() in parse_recipe(wish).signals
    sentences = parse_recipe(wish + '[[signal]]\nuse = "inner_repeat"\nlevel = "sentence"\n').signals
    assert InnerRepeat(level="sentence") in sentences
