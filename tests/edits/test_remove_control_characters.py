import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.edits import remove_control_characters
from flywheel.edits.remove_control_characters import RemoveControlCharacters


def visible(text: str | None) -> str | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    return frame.select(RemoveControlCharacters().rewrite(pl.col("text"), b"")).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffhi\u200b there\x00", "hi there"),
        ("안\u200b녕\u2060하세요", "안녕하세요"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("so\u00adft", "soft"),
        ("a\x85b", "a\nb"),
        ("a\u200db", "ab"),
        ("user\u202etxt.exe\u202c", "usertxt.exe"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("`x\u200b = 1`", "`x = 1`"),
        (None, None),
    ],
)
def test_what_nobody_sees_goes(text, expected):
    assert visible(text) == expected
    assert visible(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "tab\tline\r\nend\n",
        "👨\u200d👩\u200d👧 👩🏽\u200d💻 🏳️\u200d🌈",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "می\u200cخواهم",  # Persian
        "क्\u200dष क्\u200cष",  # Hindi
        "ภาษา\u200bไทย",  # Thai
        "שלום\u200f! (abc\u200e)",  # Hebrew
        "한국어 日本語 русский é",
        "",
    ],
)
def test_what_a_script_needs_stays(text):
    assert visible(text) == text


@given(st.text(max_size=6))
def test_a_text_is_looked_at_where_a_character_is_invisible(text):
    held = re.search(remove_control_characters._INVISIBLE, text) is not None
    assert remove_control_characters._may(pl.Series([text])).len() == held
