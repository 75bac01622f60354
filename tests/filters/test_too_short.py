import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.filters.too_short import TooShort, _has_words
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "min_words", "rejected"),
    [
        ({"content": "two words"}, 3, True),
        ({"content": "now three words"}, 3, False),
        ({"content": "  spaced \n out "}, 3, True),
        ({"content": ""}, 1, True),
        ({"content": "네."}, 1, False),
        ({"content": "ok", "tool_calls": "[]"}, 3, True),
        ({"content": None, "tool_calls": '[{"id":"c"}]'}, 3, False),
    ],
)
def test_too_short(reply, min_words, rejected):
    row = chat("user: a long question does not help", {"role": "assistant", **reply})
    assert row.select(TooShort(min_words=min_words).reject()).item() is rejected


@given(st.text(alphabet=" \t\na가.", max_size=12), st.integers(1, 5))
def test_words_are_counted_no_further_than_it_takes(text, least):
    found = pl.DataFrame({"t": [text]}).select(_has_words(pl.col("t"), least)).item()
    assert found == (len(re.findall(r"[^ \t\r\n]+", text)) >= least)


def test_very_many_words():
    row = chat("user: go", {"role": "assistant", "content": "w " * 1000})
    assert row.select(TooShort(min_words=1001).reject(), kept=TooShort(min_words=1000).reject()).row(0) == (True, False)
