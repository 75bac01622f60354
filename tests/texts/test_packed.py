import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.texts.packed import packed

TEXTS = st.lists(st.text(alphabet=" \t\r\n.ab가\u00a0\u3000漢", max_size=12), max_size=8)

WORD = "[漢\u3000]|[^ \t\r\n漢\u3000]+"


@given(TEXTS, st.sampled_from([1, 8, 1 << 17]))
def test_runs_are_what_white_space_parts(texts, at_once):
    found = [n for p in packed(pl.Series(texts, dtype=pl.String), at_once) for n in p.runs.tolist()]
    assert found == [len(re.findall(r"[^ \t\r\n]+", t)) for t in texts]


@pytest.mark.parametrize("at_once", [1, 1 << 17])
def test_words_are_runs_and_chinese_characters(at_once):
    texts = pl.Series(["漢字 and, words", "", "  a\n"])
    found = [(p, w) for p in packed(texts, at_once) for w in zip(p.words.starts, p.words.ends, strict=True)]
    assert [p.data[a:b].tobytes().decode() for p, (a, b) in found] == ["漢", "字", "and,", "words", "a"]


@given(TEXTS)
def test_words_know_their_text(texts):
    for p in packed(pl.Series(texts, dtype=pl.String)):
        owner = [t for t, text in enumerate(texts) for _ in re.findall(WORD, text)]
        assert p.words.owner.tolist() == owner
        assert p.words.per_text().tolist() == [owner.count(t) for t in range(len(texts))]
        assert p.words.until(np.arange(len(owner))).tolist() == [len([o for o in owner if o <= mine]) for mine in owner]
        found = [p.data[a:b].tobytes().decode() for a, b in zip(p.words.starts, p.words.ends, strict=True)]
        assert found == [w for text in texts for w in re.findall(WORD, text)]
        assert len(p.rest) == sum(len(t.encode()) - len(t) for t in texts)
