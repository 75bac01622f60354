import polars as pl
import pytest

from flywheel.coverage.bins import ELSEWHERE, binned, bins_of, read_bin


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("1", 1, 1), ("2-4", 2, 4), ("2 - 4", 2, 4), ("5+", 5, None), ("0.5-0.8", 0.5, 0.8)],
)
def test_a_range_is_read(value, low, high):
    assert read_bin(value) == (value, low, high)


@pytest.mark.parametrize("value", ["", "many", "4-2", "-3", "1-2-3", "+5", "1e3"])
def test_what_is_no_range(value):
    assert read_bin(value) is None


def test_row_32_turns_are_counted_in_bins_as_by_hand():
    turns = pl.DataFrame({"turns": [1, 1, 1, 2, 4, 4, 5, 9, 0, None]})
    ranges = bins_of([1, 2, 5])
    assert [b.name for b in ranges] == ["1", "2-4", "5+"]
    told = turns.select(binned(pl.col("turns"), ranges).alias("bin"))["bin"].to_list()
    assert told == ["1", "1", "1", "2-4", "2-4", "2-4", "5+", "5+", ELSEWHERE, None]
