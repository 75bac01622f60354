import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.edits import trim_whitespace
from flywheel.edits.trim_whitespace import TrimWhitespace


def trimmed(text: str | None) -> str | None:
    return (
        pl.DataFrame({"text": [text]}, schema={"text": pl.String})
        .select(TrimWhitespace().rewrite(pl.col("text"), b""))
        .item()
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one  \ntwo\t\nthree \n", "one\ntwo\nthree"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("one \n \n \ntwo", "one\n\ntwo"),
        ("windows\r\nlines\r\n", "windows\nlines"),
        ("a  b\n\n  indented\n\nc", "a  b\n\n  indented\n\nc"),
        ("  leading", "  leading"),
        ("", ""),
        (None, None),
        ("   ", ""),
        ("see \n```python\nx = 1  \n\n\n\ny = 2\n```\nafter  ", "see\n```python\nx = 1  \n\n\n\ny = 2\n```\nafter"),
        ("~~~\nx  \n~~~", "~~~\nx  \n~~~"),
        ("```\nnever closed  \n\n\n", "```\nnever closed  \n\n\n"),
        ("not ``` a fence  \nb", "not ``` a fence\nb"),
    ],
)
def test_trim_whitespace(text, expected):
    assert trimmed(text) == expected
    assert trimmed(expected) == expected


def test_a_long_run_of_spaces_is_quick():
    began = time.perf_counter()
    assert trimmed(" " * 100_000 + "x \n\n") == " " * 100_000 + "x"
    assert time.perf_counter() - began < 2


@given(st.text(alphabet=" \t\r\nab", max_size=10))
def test_a_text_is_looked_at_where_white_space_ends_a_line_or_the_text(text):
    loose = pl.Series([text]).str.contains(r"[ \t\r](?:\n|$)|\n\n\n|\n$").item()
    assert trim_whitespace._loose(pl.Series([text])).len() == loose
