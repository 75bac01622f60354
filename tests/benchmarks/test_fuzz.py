"""Every reader that is fuzzed takes its seeds, and whatever is made of them by chance, or refuses it with a sentence."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import READERS, seeds
from flywheel.errors import FlywheelError


def read(name: str, data: bytes) -> None:
    """Whatever is raised but an error of ours fails the test; the promises are asserted by the readers themselves."""
    with contextlib.suppress(FlywheelError):
        READERS[name](data)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_its_seeds(name: str) -> None:
    there = seeds(name)[:20]
    assert there
    for seed in there:
        read(name, seed)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_reader_breaks_on_nothing_cut_swapped_or_spoiled(name: str, data: st.DataObject) -> None:
    seed = bytearray(data.draw(st.sampled_from(seeds(name)[:20])))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, max(0, len(seed) - 1)))
        seed[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    read(name, bytes(seed))
