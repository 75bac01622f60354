"""Pairs, groups and similarities against the same made of Python sets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel import alike
from flywheel.alike import Groups, Search, jaccard
from flywheel.shingles import Sets

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


@settings(max_examples=150, deadline=None)
@given(
    SETS,
    st.integers(0, 12),
    st.sampled_from([0.5, 0.8, 1.0]),
    st.lists(st.integers(0, 1), min_size=12, max_size=12),
    st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=12, max_size=12),
    st.sampled_from([(1, 1), (3, 20), (1 << 18, 1 << 18)]),
)
def test_groups_and_best_similarities_are_those_of_all_pairs_that_share_a_key(sets, new, threshold, kinds, keys, sizes):
    new = min(new, len(sets))
    sets = sorted(sets[:new], key=len) + sorted(sets[new:], key=len)
    patch = pytest.MonkeyPatch()
    patch.setattr(alike, "PAIRS", sizes[0])
    patch.setattr(alike, "VALUES", sizes[1])
    lengths = np.array([len(s) for s in sets], dtype=np.int64)
    search = Search(
        np.array(keys[: len(sets)], dtype=np.uint32),
        np.array(kinds[: len(sets)], dtype=np.uint64),
        lengths,
        threshold,
        new,
    )
    edges = search.edges(stored(sets), np.arange(len(sets)))
    touched = search.touched()
    patch.undo()
    best, groups = dict.fromkeys(range(len(sets)), 0.0), Groups(len(sets))
    candidates = 0
    for a, b in combinations(range(len(sets)), 2):
        shared = any(x == y for x, y in zip(keys[a], keys[b], strict=True))
        reach = min(lengths[a], lengths[b]) / max(lengths[a], lengths[b]) >= threshold - 1e-9
        if a < new and shared and kinds[a] == kinds[b] and reach:
            candidates += 1
            assert touched[[a, b]].all()
            if similar(sets[a], sets[b]) >= threshold:
                best[a], best[b] = (max(best[i], similar(sets[a], sets[b])) for i in (a, b))
                groups.join(np.array([a]), np.array([b]))
    told, joined = dict.fromkeys(range(len(sets)), 0.0), Groups(len(sets))
    joined.join(edges.left, edges.right)
    for a, b, similarity in zip(edges.left.tolist(), edges.right.tolist(), edges.similarity.tolist(), strict=True):
        assert similarity == similar(sets[a], sets[b])
        told[a], told[b] = max(told[a], similarity), max(told[b], similarity)
    every = np.arange(len(sets))
    assert (told, joined.of(every).tolist()) == (best, groups.of(every).tolist())
    assert search.candidates == candidates
    assert search.pairs <= search.verified <= candidates


def test_a_group_is_named_by_its_smallest_place():
    groups = Groups(6)
    groups.join(np.array([5, 1, 4]), np.array([4, 3, 1]))
    assert groups.of(np.arange(6)).tolist() == [0, 1, 2, 1, 1, 1]


def test_what_cannot_matter_is_not_compared():
    """A thousand sets of one group, all alike: about one comparison each, not half a million."""
    core = frozenset(range(1000, 1400))
    sets = stored([core | {n} for n in range(1000)])
    search = Search(np.zeros((1000, 4), np.uint32), np.zeros(1000, np.uint64), sets.sizes, 0.8, 1000)
    edges = search.edges(sets, np.arange(1000))
    assert search.candidates == 1000 * 999 / 2
    assert search.verified < 20_000
    assert len(edges.left) < 20_000
