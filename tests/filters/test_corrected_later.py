"""Replies that were corrected in the next turn."""

import polars as pl
import pytest

from flywheel.filters.corrected_later import CorrectedLater


@pytest.mark.parametrize(
    ("signs", "told", "rejected"),
    [
        (("correction", "rephrase"), ["copy", "correction"], True),
        (("correction", "rephrase"), ["rephrase"], True),
        (("correction",), ["rephrase"], False),
        (("correction", "rephrase"), [], False),
        (("correction", "rephrase"), None, None),
    ],
)
def test_row_14_a_reply_that_was_corrected_is_not_imitated(signs, told, rejected):
    frame = pl.DataFrame({"signs": [told]}, schema={"signs": pl.List(pl.String)})
    assert frame.select(CorrectedLater(signs=signs).reject()).item() is rejected
    assert CorrectedLater.rejects == "target"
