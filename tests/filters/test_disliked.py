import polars as pl
import pytest

from flywheel.filters.disliked import Disliked
from tests.build import chat


@pytest.mark.parametrize(
    ("thumb", "rating", "rejected"),
    [
        (-1, None, True),
        (-1, 5.0, True),
        (None, 2.0, True),
        (1, 1.5, True),
        (1, None, False),
        (None, 2.1, False),
        (None, None, False),
    ],
)
def test_disliked(thumb, rating, rejected):
    row = chat("user: hi", "assistant: hello").with_columns(
        thumb=pl.lit(thumb, dtype=pl.Int8), rating=pl.lit(rating, dtype=pl.Float64)
    )
    assert row.select(Disliked().reject().fill_null(False)).item() is rejected


def test_a_disliked_reply_may_still_be_the_losing_side():
    assert Disliked.rejects == "target"
