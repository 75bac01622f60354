"""Detectors of behaviour nobody asked for."""

import polars as pl
import pytest

from flywheel.texts.behaviours import DETECTORS
from tests.build import chat


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_has_a_version_and_finds_nothing_in_nothing(name):
    assert DETECTORS[name].version >= 1
    assert chat("user: ", "assistant: ").select(DETECTORS[name].found()).to_series().to_list() == [False]


def test_what_was_asked_for_in_an_earlier_turn_is_no_fault():
    turns = ("user: Polish my text.", "assistant: Which?", "user: The one about Rome.", "assistant: Revised version: …")
    row = chat(*turns)
    assert row.select(DETECTORS["unasked_rewrite"].found()).item() is False
    assert row.select(pl.col("messages").list.len()).item() == 4
