"""Shingles against the same made of Python strings, however texts are cut into blocks."""

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.duplicates import shingles
from flywheel.duplicates.shingles import Sets, Words, band_keys, blocks, digests, shingle_sets
from flywheel.texts.words import words

ODD = [
    "é",
    "É",
    "ß",
    "ﬁ",
    "가",
    "나",
    "漢",
    "字",
    "ア",
    "ー",
    "、",
    "。",
    "İ",
    "K",
    "Σ",
    "ς",
    "ж",
    "😀",
    "𠀀",
    "½",
    "×",
    "１",
    "．",
    "ע",
    "م",
]
SIGNS = st.sampled_from(
    [*"aBz9 .-_\n\0\x7f\u2028\u200b\ufeff\u00a0\u3000", *ODD, "longer-than" * 3, "thousand" * 3, "x" * 70]
)
TEXTS = st.lists(st.one_of(st.none(), st.lists(SIGNS, max_size=20).map("".join)), max_size=12)


def runs_of(texts: list[str | None], size: int, at_once: int) -> list[list[int]]:
    """Hashes of the runs of each text."""
    found: list[list[int]] = [[] for _ in texts]
    for block in blocks(pl.Series(texts, dtype=pl.String), at_once):
        values, owner = block.runs(size)
        for value, at in zip(values.tolist(), owner.tolist(), strict=True):
            found[block.first + at].append(value)
    return found


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from([1, 2, 5]), st.sampled_from([1, 30, 1 << 19]))
def test_runs_are_those_of_the_words(texts, size, at_once):
    told: dict[tuple[str, ...], int] = {}
    listed = words(pl.Series(texts, dtype=pl.String)).to_list()
    for mine, hashes in zip(listed, runs_of(texts, size, at_once), strict=True):
        expected = [tuple(mine[i : i + size]) for i in range(len(mine) - size + 1)]
        assert len(hashes) == len(expected)
        for run, value in zip(expected, hashes, strict=True):
            assert told.setdefault(run, value) == value
    assert len(set(told.values())) == len(told)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_sets_are_distinct_shingles_and_the_same_one_text_at_a_time(texts):
    series = pl.Series(texts, dtype=pl.String)
    sets = shingle_sets(series, 3)
    for at, mine in enumerate(words(series).to_list()):
        values = sets.values[sets.bounds[at] : sets.bounds[at + 1]]
        assert (np.diff(values.astype(np.int64)) > 0).all()
        if mine:
            assert len(values) == len({tuple(mine[i : i + 3]) for i in range(max(1, len(mine) - 2))})
        alone = shingle_sets(series[at : at + 1], 3)
        assert alone.values.tolist() == values.tolist()
        assert band_keys(alone, 8, 2).tolist() == band_keys(sets, 8, 2)[at : at + 1].tolist()


def test_a_short_text_is_one_shingle_and_signs_alone_are_their_own():
    sets = shingle_sets(pl.Series(["one two", "One, two!", "two one", "?!", "? !", "!?", " \n", ""]), 5)
    assert sets.sizes.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    one, same, turned, signs, spaced, other = sets.values.tolist()
    assert (one, signs) == (same, spaced)
    assert len({one, turned, signs, other}) == 4


def test_the_hashes_are_the_same_for_ever():
    sets = shingle_sets(pl.Series(["one two three four five six", "값이 12,000원 international" + "x" * 80]), 5)
    assert sets.values.tolist() == PINNED_SETS
    assert band_keys(sets, 4, 4).tolist() == PINNED_KEYS


PINNED_SETS = [2320718354, 2466236366, 836506372, 2450539416]
PINNED_KEYS = [
    [1208958117, 3668196805, 2647235751, 4205536744],
    [1351832058, 1903866886, 3311686578, 917454176],
]


def test_stored_sets_are_read_again():
    sets = shingle_sets(pl.Series(["a b c d e f g", "", "h"]), 2)
    again = Sets.read(sets.stored())
    assert (again.values.tolist(), again.bounds.tolist()) == (sets.values.tolist(), sets.bounds.tolist())
    assert Sets.read(pl.Series([], dtype=pl.Binary)).bounds.tolist() == [0]


def test_digests_are_equal_for_equal_sets_alone():
    told = digests(shingle_sets(pl.Series(["a b a b a b", "b a b a b", "a b c", ""]), 2).stored()).to_list()
    assert told[0] == told[1] != told[2]
    assert told[3] is None


@pytest.mark.parametrize("size", [1, 2, 5, 9, 20, 45, 90, 180, 900])
def test_keys_are_shared_as_often_as_promised(size):
    """Two sets of similarity s share one key of 4 rows with the chance s^4, and miss all 32 about never at 0.8."""
    chance = random.Random(size)
    shared = size - size // 9  # of each: similarity at least 0.8
    pairs = []
    for _ in range(400):
        both = chance.sample(range(1 << 32), 2 * size - shared)
        pairs += [sorted(both[:size]), sorted(both[size - shared :])]
    sets = Sets(
        np.array([v for p in pairs for v in p], dtype=np.uint32), np.arange(len(pairs) + 1, dtype=np.int64) * size
    )
    keys = band_keys(sets, 32, 4)
    same = keys[::2] == keys[1::2]
    similarity = shared / (2 * size - shared)
    assert similarity >= 0.8
    assert same.any(axis=1).all()
    assert same.mean() == pytest.approx(similarity**4, abs=0.04)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from([1, 3]))
def test_places_within_one_text_are_those_of_its_runs(texts, size):
    for block in blocks(pl.Series(texts, dtype=pl.String), 60):
        rolled = block.rolled(size)
        every = np.arange(len(rolled))
        runs, owner = block.runs(size)
        text, at = block.within(every, size)
        assert text.tolist() == owner.tolist()
        assert rolled[block.bounds[text] + at].tolist() == runs.tolist()


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.data(), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 5]), st.sampled_from([1, 9, 1 << 15]))
def test_words_put_together_are_those_of_the_texts_put_together(texts, data, parts, size, at_once):
    place = st.integers(0, max(0, len(texts) - 1))
    rows = data.draw(st.lists(st.lists(place, min_size=parts, max_size=parts), max_size=8 if texts else 0))
    read = Words.of(pl.Series(texts, dtype=pl.String))
    joined = pl.Series(["\n".join(texts[at] or "" for at in row) for row in rows], dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shingles, "WORDS", at_once)
        found = shingle_sets(joined, size, read.joined(np.array(rows, np.int64).reshape(-1, parts)))
        alone = [block.runs(1)[0] for block in read.blocks()]
    expected = shingle_sets(joined, size)
    assert found.values.tolist() == expected.values.tolist()
    assert found.bounds.tolist() == expected.bounds.tolist()
    assert np.concatenate([np.empty(0, np.uint64), *alone]).tolist() == read.hashes.tolist()


def test_words_of_two_lists_of_texts_one_after_the_other():
    one, other = pl.Series(["a b", ""]), pl.Series(["", "c", "d e f"])
    both, every = Words.of(one) + Words.of(other), Words.of(pl.concat([one, other]))
    assert both.hashes.tolist() == every.hashes.tolist()
    assert both.bounds.tolist() == every.bounds.tolist() == [0, 2, 2, 2, 3, 6]
