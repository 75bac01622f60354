import re

import eldc
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.signals.language import Language, _detected, written_in
from flywheel.signals.reply_language import ReplyLanguage
from tests.build import chat


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France, and why?", "en"),
        ("오늘 날씨가 정말 좋네요.", "ko"),
        ("네", "ko"),
        ("ㅋㅋㅋ", "ko"),
        ("Python 코드를 어떻게 고쳐야 하나요?", "ko"),
        ("How do I say hello in Korean: 안녕?", "en"),
        ("Où se trouve la bibliothèque la plus proche, s'il vous plaît ?", "fr"),
        ("東京の天気はどうですか", "ja"),
        ("hi", "und"),
        ("12345 + 67890 = ?", "und"),
        ("", "und"),
    ],
)
def test_language_of_what_the_user_wrote(text, language):
    found = Language().measure(
        chat("system: 당신은 친절한 비서입니다", f"user: {text}", "assistant: Bonjour à tous").lazy()
    )
    assert found.collect().rows() == [("openai_chat:r1", language)]


def test_a_call_without_user_is_undetermined():
    assert (
        Language().measure(chat("system: Say hello to everyone", "assistant: Hello").lazy()).collect().row(0)[1]
        == "und"
    )


@given(st.text(alphabet="ab Z1.é가ㄱ東あб\n", max_size=30), st.booleans())
def test_what_is_worth_a_guess_is_told_by_its_letters(text, only_sure):
    letters = re.sub(r"[\x00-\x40\x5b-\x60\x7b-\x7f]+", "", text)
    hangul = len(re.findall("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]", letters))
    if hangul and hangul * 2 >= len(letters):
        expected = "ko"
    elif len(letters.encode()) < 10:
        expected = "und"
    else:
        eldc.init()
        expected = eldc.detect(text) if not only_sure or eldc.detect_details(text).reliable else "und"
    assert written_in(pl.Series([text]), 10, only_sure).to_list() == [expected]


def test_a_text_that_is_asked_for_twice_is_looked_at_once():
    _detected.cache_clear()
    frame = chat("user: What is the capital of France, and why?", "assistant: Paris is the capital of France.")
    Language().measure(frame.lazy()).collect()
    ReplyLanguage().measure(frame.lazy()).collect()
    assert _detected.cache_info()[:2] == (1, 2)


def test_no_rows():
    assert Language().measure(chat("user: a", "assistant: b").head(0).lazy()).collect().is_empty()
