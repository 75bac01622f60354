import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.edits.normalize_numbers import NormalizeNumbers
from flywheel.rewriting import rewrite
from tests.build import chat


def normal(text: str | None, **parameters: str) -> str | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    return frame.select(NormalizeNumbers(**parameters).rewrite(pl.col("text"), b"")).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("１２３ and ３．５", "123 and 3.5"),
        ("１，２３４，５６７円", "1234567円"),
        ("인구는 9,411,260명입니다.", "인구는 9411260명입니다."),
        ("It costs $1,234.50, not $2,500.", "It costs $1234.50, not $2500."),
        ("Das kostet 1.234,56 €, nicht 2.500 €.", "Das kostet 1234.56 €, nicht 2500 €."),
        ("Population: 67\u202f413\u202f000", "Population: 67413000"),
        ("1'234'567 Franken", "1234567 Franken"),
        ("from 1,200,000 to -3,400,000", "from 1200000 to -3400000"),
        (None, None),
    ],
)
def test_row_20_numbers_are_written_one_way(text, expected):
    assert normal(text) == expected
    assert normal(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1,234 may be decimals, and so may 1.234",
        "1,234,567 here and 1.234,56 there: 5,600",
        "rgb 255,128,100 and (100,200,300) and [1,200,300]",
        "version 1.200.300, on 2026.01.02, 10.0.0.1",
        "`1,234,567`",
        "```\n１２３ 1,234,567\n```",
        "0,123,456 and 1,2345 and 12,34,567 and a1,234,567 and 1,234,567b",
        "1，2，3をください",
        "5'300 steps",
        "",
    ],
)
def test_row_20_what_may_be_read_otherwise_stays(text):
    assert normal(text) == text


def test_a_list_with_wide_commas_is_no_number():
    assert normal("１，２，３") == "1，2，3"


def test_separators_may_stay():
    assert normal("１，２３４，５６７ and 1,234,567", separators="keep") == "1,234,567 and 1,234,567"


def test_row_20_the_table_of_edits_tells_what_was_changed():
    new, made = rewrite(chat("user: 1,234,567?", "assistant: ok"), [NormalizeNumbers()], b"k")
    assert new["messages"][0][0]["content"] == "1234567?"
    assert made.select("message", "field", "edit", "count", "chars_before", "chars_after").rows() == [
        (0, "content", "normalize_numbers", 1, 10, 8)
    ]


@given(st.text(alphabet="0123,.'()０１，．\u202f `a", max_size=30))
def test_twice_is_once(text):
    assert normal(normal(text)) == normal(text)


@pytest.mark.parametrize("text", ["1," * 100_000, "1,234" * 50_000, "１，" * 100_000, "1,234," * 50_000 + "x"])
def test_made_to_hurt(text):
    began = time.perf_counter()
    normal(text)
    assert time.perf_counter() - began < 3
