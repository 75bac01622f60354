import polars as pl
import pytest

from flywheel.edits.redact_email import RedactEmail

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactEmail().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("Write to ", "jordan.360050@example.com", "."),
    ("<", "first.last+tag@sub.example.co.kr", ">"),
    ("mailto:", "a_b%c@x-y.org", "?subject=hi"),
    ("이메일은 ", "kim@example.kr", "입니다"),
    ('JSON: {"text": "line\\n', "ann@example.com", '"}'),
    ("escaped \\u003c", "ann@example.com", "\\u003e"),
    ("path C:\\", "john@example.com", ""),
]
LEFT = [
    "@handle",
    "user@localhost",
    "@app.route('/x')",
    "git@github",
    "a @ b.com",
    "x = a@b",
    "price@5.99",
    "@dataclass.field",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactEmail().find(text) == [value]
    assert rewritten(text) == before + RedactEmail().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactEmail().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactEmail().token(FOUND[0][1], SECRET)
    assert token.startswith("[EMAIL_")
    assert len(token) == len("[EMAIL_]") + 8
    assert token != RedactEmail().token(FOUND[0][1], b"another key")
    assert RedactEmail().find(token) == []
