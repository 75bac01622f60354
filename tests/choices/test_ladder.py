"""The ladder rises with the hash, and its rungs are as fine as they are said to be."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from flywheel.choices.ladder import rungs

HASH = st.integers(0, 2**64 - 1)


@given(st.lists(HASH, min_size=1, max_size=50), st.sampled_from([1, 8, 32]))
def test_law_a_rung_rises_with_the_hash(hashes, fine):
    rung = rungs(pl.Series(sorted(hashes), dtype=pl.UInt64), fine).to_list()
    assert rung == sorted(rung)


@given(st.integers(0, 57), st.sampled_from([8, 32]))
def test_law_an_octave_has_so_many_rungs_of_one_width(low, fine):
    """From 2^k on each step of 2^k / `fine` is a rung: so it holds at most 1 / `fine` of what is below it."""
    ends = [(1 << low + 5) + n * ((1 << low + 5) // fine) for n in range(fine + 1)]
    assert len(set(rungs(pl.Series(ends, dtype=pl.UInt64), fine).to_list())) == fine + 1
    inner = [e + ((1 << low + 5) // fine) - 1 for e in ends[:-1]] if low < 40 else ends[:-1]
    assert rungs(pl.Series(inner, dtype=pl.UInt64), fine).equals(rungs(pl.Series(ends[:-1], dtype=pl.UInt64), fine))
