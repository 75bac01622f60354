"""Row 144: looking in few dimensions first finds what comparing every pair in full finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.vectors import cosine
from flywheel.vectors.cosine import near_pairs, nearest


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clouds(n, dimensions, seed, spread=0.4):
    """Vectors as models give them: some directions tell more than others, and some texts are near each other."""
    random = np.random.default_rng(seed)
    scale = 1 / np.sqrt(1 + np.arange(dimensions))
    middles = random.normal(size=(max(1, n // 3), dimensions)) * scale
    return unit(middles[random.integers(len(middles), size=n)] + spread * random.normal(size=(n, dimensions)) * scale)


def every_pair(vectors, threshold):
    """The pairs, by comparing all."""
    wide = vectors.astype(np.float64)
    told = (wide @ wide.T).round(6)
    return {(int(a), int(b)) for a, b in np.argwhere(told >= threshold) if a < b}


def found(vectors, threshold):
    return {
        pair
        for near in near_pairs(vectors, threshold)
        for pair in zip(near.left.tolist(), near.right.tolist(), strict=True)
    }


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9])
@pytest.mark.parametrize("block", [64, 300])
def test_row_144_fewer_dimensions_find_the_same_pairs(monkeypatch, threshold, block):
    monkeypatch.setattr(cosine, "BLOCK", block)
    vectors = clouds(700, 96, seed=1)
    assert cosine._shortened(vectors).shape[1] < 60, "nothing was saved"
    wanted = every_pair(vectors, threshold)
    assert len(wanted) > 50
    assert found(vectors, threshold) == wanted  # asked: at least 95 of 100


def test_vectors_that_have_no_main_directions_are_compared_in_full(monkeypatch):
    monkeypatch.setattr(cosine, "BLOCK", 64)
    vectors = unit(np.random.default_rng(2).normal(size=(300, 48)))
    assert cosine._shortened(vectors) is vectors
    assert found(vectors, 0.3) == every_pair(vectors, 0.3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(0, 5), st.floats(0.2, 0.99))
def test_the_pairs_are_those_of_a_plain_product(n, seed, threshold):
    vectors = clouds(n, 24, seed) if n else np.empty((0, 24), dtype=np.float32)
    assert found(vectors, threshold) == every_pair(vectors, threshold)


def test_a_cosine_is_told_exactly_and_equal_in_any_company():
    vectors = clouds(50, 24, seed=3)
    all_of_them = {
        (a, b): c
        for near in near_pairs(vectors, 0.5)
        for a, b, c in zip(near.left, near.right, near.cosine, strict=True)
    }
    for (a, b), told in all_of_them.items():
        alone = next(near_pairs(vectors[[a, b]], 0.5))
        assert alone.cosine.item() == told


def test_nearest_names_the_first_of_equals():
    among = unit(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    place, told = nearest(unit(np.array([[2.0, 0.1], [0.1, 3.0]])), among)
    assert place.tolist() == [0, 1]
    assert told.round(4).tolist() == [0.9988, 0.9994]


def test_nearest_is_the_best_of_all(monkeypatch):
    monkeypatch.setattr(cosine, "BLOCK", 16)
    some, among = clouds(70, 24, seed=4), clouds(40, 24, seed=5)
    place, told = nearest(some, among)
    product = (some.astype(np.float64) @ among.T.astype(np.float64)).round(6)
    assert (told == product.max(axis=1)).all()
    assert (product[np.arange(70), place] == told).all()
