"""Pairs, groups and similarities against the same made of Python sets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.duplicates import alike
from flywheel.duplicates.alike import Groups, Search, jaccard
from flywheel.duplicates.shingles import Sets

SETS = st.lists(st.frozensets(st.integers(0, 30), min_size=1, max_size=12), min_size=1, max_size=12)


def stored(sets: list[frozenset[int]]) -> Sets:
    """The sets end to end."""
    values = np.array([v for s in sets for v in sorted(s)], dtype=np.uint32)
    return Sets(values, np.concatenate([[0], np.cumsum([len(s) for s in sets])]))


def similar(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other)


@settings(max_examples=60, deadline=None)
@given(SETS)
def test_similarity_is_exact(sets):
    pairs = list(combinations(range(len(sets)), 2))
    left, right = (np.array([p[i] for p in pairs], dtype=np.int64) for i in (0, 1))
    expected = [similar(sets[a], sets[b]) for a, b in pairs]
    assert jaccard(stored(sets), left, right).tolist() == pytest.approx(expected)


@settings(max_examples=300, deadline=None)
@given(
    SETS,
    st.integers(0, 12),
    st.sampled_from([0.5, 0.8, 1.0]),
    st.lists(st.integers(0, 1), min_size=12, max_size=12),
    st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=12, max_size=12),
    st.sampled_from([{}, {"PAIRS": 1, "VALUES": 1}, {"PAIRS": 3, "VALUES": 20, "FEW": 2}]),
    st.sampled_from([0, 1, 64]),
    st.booleans(),
)
def test_groups_are_those_of_all_pairs_that_share_a_key(sets, new, threshold, kinds, keys, limits, crowd, linked):
    patch = pytest.MonkeyPatch()
    for name, value in (limits | {"CROWD": crowd}).items():
        patch.setattr(alike, name, value)
    if not linked:  # all is left to the rarest hashes, or to the pairs of sets still apart
        patch.setattr(alike._Joining, "link", lambda *_: None)
    lengths = np.array([len(s) for s in sets], dtype=np.int64)
    search = Search(
        np.array(keys[: len(sets)], dtype=np.uint32),
        np.array(kinds[: len(sets)], dtype=np.uint64),
        lengths,
        threshold,
        min(new, len(sets)),
    )
    edges = search.edges(stored(sets), np.arange(len(sets)))
    touched = search.touched()
    patch.undo()
    groups, allowed = Groups(len(sets)), set()
    for a, b in combinations(range(len(sets)), 2):
        shared = any(x == y for x, y in zip(keys[a], keys[b], strict=True))
        if a < new and shared and kinds[a] == kinds[b]:
            if min(lengths[a], lengths[b]) / max(lengths[a], lengths[b]) >= threshold:
                assert touched[[a, b]].all()
            if similar(sets[a], sets[b]) >= threshold:
                groups.join(np.array([a]), np.array([b]))
                allowed.add((a, b))
    pairs = list(zip(edges.left.tolist(), edges.right.tolist(), strict=True))
    assert {(min(p), max(p)) for p in pairs} <= allowed
    joined, every = Groups(len(sets)), np.arange(len(sets))
    joined.join(edges.left, edges.right)
    assert joined.of(every).tolist() == groups.of(every).tolist()
    assert len(pairs) == search.pairs <= search.verified <= search.candidates


def test_a_group_is_named_by_its_smallest_place():
    groups = Groups(6)
    groups.join(np.array([5, 1, 4]), np.array([4, 3, 1]))
    assert groups.of(np.arange(6)).tolist() == [0, 1, 2, 1, 1, 1]


def test_a_family_is_joined_in_about_one_comparison_each():
    core = frozenset(range(1000, 1400))
    sets = stored([core | {n} for n in range(1000)])
    search = Search(np.zeros((1000, 4), np.uint32), np.zeros(1000, np.uint64), sets.sizes, 0.8, 1000)
    edges = search.edges(sets, np.arange(1000))
    assert len(edges.left) == search.verified == search.candidates == 999
    assert search.largest_bucket == 1000


@pytest.mark.parametrize("new", [2000, 3])
def test_a_family_below_the_threshold_is_told_apart_without_looking_at_all_pairs(new):
    """Each set shares 300 of its 400 hashes with all others, a similarity of 0.6; two pairs are alike."""
    sets = [frozenset(range(300)) | frozenset(range(1000 + 100 * n, 1100 + 100 * n)) for n in range(2000)]
    sets[1500], sets[7] = sets[2] | {500}, sets[1] | {500}
    keys, kinds = np.zeros((2000, 4), np.uint32), np.zeros(2000, np.uint64)
    search = Search(keys, kinds, np.array([len(s) for s in sets]), 0.8, new)
    edges = search.edges(stored(sets), np.arange(2000))
    assert {(min(p), max(p)) for p in zip(*(e.tolist() for e in edges), strict=True)} == {(2, 1500), (1, 7)}
    assert search.candidates < 60_000
