import polars as pl
import pytest

from flywheel.edits.redact_card import RedactCard

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactCard().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("My card is ", "4111 1111 1111 1111", "."),
    ("", "4111111111111111", ""),
    ("", "5555-5555-5555-4444", ""),
    ("", "3782 822463 10005", ""),
    ("", "4131034282458809939", ""),
    ("", "30288610434735", ""),
    ("", "4111 1111 1111 1111", " 05/27 123"),
    ("카드번호는 ", "4111 1111 1111 1111", "입니다"),
    ('{"card":"\\n', "4111111111111111", '"}'),
]
LEFT = [
    "4111 1111 1111 1112",
    "0000 0000 0000 0000",
    "1234 5678 9012 3456",
    "1772416959123",
    "9999999999999995",
    "order 41111111111111110000000",
    "3.4111111111111111",
    "id4111111111111111",
    "4111111111111111e5",
    "[[4111, 1111, 1111, 1111]]",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactCard().find(text) == [value]
    assert rewritten(text) == before + RedactCard().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactCard().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactCard().token(FOUND[0][1], SECRET)
    assert token.startswith("[CARD_")
    assert len(token) == len("[CARD_]") + 8
    assert token != RedactCard().token(FOUND[0][1], b"another key")
    assert RedactCard().find(token) == []
