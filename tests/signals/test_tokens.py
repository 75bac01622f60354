import sys

import bpe_openai
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.signals import tokens
from flywheel.signals.tokens import Tokens, count
from tests.build import chat, rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("hello", 1), ("hello world", 2), ("안녕하세요", 2), ("<|endoftext|>", 7), ("\n\n\n", 1)],
)
def test_count(text, expected):
    assert count(text) == expected


def test_cutting_a_long_text_changes_nothing(monkeypatch):
    text = "One line, with don't and 123456 in it.  가나다 라마 CamelCase \n\n  indented\nNext line…\n" * 20
    whole = count(text)
    monkeypatch.setattr(tokens, "CHUNK", 100)
    assert count(text) == whole


def test_a_text_too_long_for_the_tokenizer_is_counted():
    assert count("a b " * 300_000) == 600_001  # the last space is a token of its own


def test_prompt_is_all_but_the_last_message_and_repeated_history_counts_each_time():
    first = chat("user: hello", "assistant: hello world", id="s:1")
    later = chat("user: hello", "assistant: hello world", "user: hello", "assistant: hello", id="s:0")
    measured = Tokens().measure(rows(first, later).lazy()).collect()
    assert measured.rows() == [("s:1", 1, 2), ("s:0", 4, 1)]
    assert measured.schema == pl.Schema({"id": pl.String, **Tokens.gives})


def test_no_rows():
    assert Tokens().measure(chat("user: a", "assistant: b").head(0).lazy()).collect().is_empty()


@settings(deadline=None)
@given(st.text(max_size=400))
def test_the_fast_tokenizer_counts_what_the_careful_one_counts(text):
    assert count(text) == len(bpe_openai.get_encoding("o200k_base").encode_ordinary(text))


@pytest.mark.parametrize("broken", ["missing", "wrong"])
def test_without_a_fast_tokenizer_that_agrees_the_careful_one_counts(monkeypatch, broken):
    if broken == "missing":
        monkeypatch.setitem(sys.modules, "gigatoken", None)
    else:
        monkeypatch.setattr(tokens._Fast, "encode_ordinary", lambda self, text: [1])
    tokens._encoding.cache_clear()
    assert count("안녕하세요 hello") == 3
    tokens._encoding.cache_clear()
