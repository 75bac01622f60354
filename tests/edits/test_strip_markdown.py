import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.edits import strip_markdown
from flywheel.edits.strip_markdown import StripMarkdown
from flywheel.texts.prose import holding


def plain(text: str | None) -> str | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    return frame.select(StripMarkdown().rewrite(pl.col("text"), b"")).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title #\n\n**bold**, *it*, __b b__, ***both***, ~~no~~", "Title\n\nbold, it, b b, both, no"),
        ("**중요**합니다. *강조*입니다.", "중요합니다. 강조입니다."),
        ("> quoted\n> > twice\n\n---\nafter", "quoted\ntwice\n\nafter"),
        ('see [the page](https://example.org "t") ![a cat](cat.png)', "see the page a cat"),
        ("**x** and `**y**`", "x and `**y**`"),
        ("## 제목\n- **하나**", "제목\n- 하나"),
        ("Costs $5 and *very* much", "Costs $5 and very much"),
        (None, None),
    ],
)
def test_marks_go(text, expected):
    assert plain(text) == expected
    assert plain(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4 and 2*3*4",
        "snake_case_name and __init__",
        "f(*args, **kwargs)",
        "$a_i * b_i * c$",
        r"\(a_1 b_1\) \*no\*",
        "#hashtag",
        "[1] see (2)",
        "- one\n* two\n1. three",
        "| a | b |\n|---|---|",
        "```\n# c\n**x**\n```",
        "",
    ],
)
def test_what_is_no_mark_stays(text):
    assert plain(text) == text


@pytest.mark.parametrize("text", ["**a " * 50_000, "_a " * 50_000, "[a](" * 50_000, ">" * 100_000, "~~a" * 50_000])
def test_made_to_hurt(text):
    began = time.perf_counter()
    plain(text)
    assert time.perf_counter() - began < 3


@settings(max_examples=500)
@given(st.text(alphabet="*_~#>-[]()`$\\ \tab1\n", max_size=40))
def test_the_gate_lets_through_whatever_has_a_mark(text):
    """What the second look leaves out is what the edit would not have changed."""
    if holding(pl.Series([text]), strip_markdown._SIGNS).len():
        changes = strip_markdown._stripped(text) != text
        assert not changes or holding(pl.Series([text]), strip_markdown._SIGNS, strip_markdown._MARKED).len()
