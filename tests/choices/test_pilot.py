"""Which rows a pilot and its twin take."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.choices.pilot import drawn, quotas


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ({"a": 900, "b": 99, "c": 1}, 50, {"a": 43, "b": 6, "c": 1}),
        ({"a": 3, "b": 2}, 50, {"a": 3, "b": 2}),
        ({"a": 5, "b": 5, "c": 9, "d": 1}, 2, {"c": 1, "a": 1}),
        ({"a": 1, "b": 1, "c": 1}, 3, {"a": 1, "b": 1, "c": 1}),
        ({}, 5, {}),
    ],
)
def test_row_43_every_stratum_where_there_is_room(counts: dict[str, int], size: int, expected: dict[str, int]) -> None:
    assert quotas(counts, size) == expected


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(1, 400), min_size=1, max_size=9),
    st.integers(1, 60),
)
def test_quotas_are_whole_and_never_more_than_there_is(counts: dict[str, int], size: int) -> None:
    got = quotas(counts, size)
    assert sum(got.values()) == min(size, sum(counts.values()))
    assert all(1 <= n <= counts[s] for s, n in got.items())
    assert len(got) == min(len(counts), size) or size >= sum(counts.values())


def test_row_43_fifty_rows_and_a_twin_that_shares_nothing() -> None:
    rows = pl.DataFrame(
        {
            "id": [f"r{i:03}" for i in range(300)],
            "stratum": ["big" if i % 10 else "small" for i in range(300)],
            "group": [f"g{i // 2}" for i in range(300)],
            "group_rows": [2 if i < 280 else 200 for i in range(300)],
        }
    )
    got = drawn(rows, 50, 50, 6, seed=1)
    sides = dict(got["side"].value_counts().iter_rows())
    assert sides == {"pilot": 50, "evaluation": 50}
    told = got.join(rows, on="id")
    pilot, twin = (told.filter(side=s) for s in ("pilot", "evaluation"))
    assert not set(pilot["group"]) & set(twin["group"])
    assert twin["group_rows"].max() == 2, "a large group would take its rows from every set"
    assert set(pilot["stratum"]) == set(twin["stratum"]) == {"big", "small"}
    assert got.equals(drawn(rows.reverse(), 50, 50, 6, seed=1))
    assert not got.equals(drawn(rows, 50, 50, 6, seed=2))
