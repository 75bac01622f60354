import polars as pl
import pytest

from flywheel.edits.redact_ssn import RedactSsn

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactSsn().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("My SSN is ", "536-90-4399", "."),
    ("SSN: ", "536904399", ""),
    ("social security number is ", "536 90 4399", ""),
    ('{"ssn": "', "536904399", '"}'),
    ("번호는 ", "536-90-4399", "입니다"),
]
LEFT = [
    "000-12-3456",
    "666-12-3456",
    "912-34-5678",
    "123-00-4567",
    "123-45-0000",
    "536904399",
    "536 90 4399",
    "2020-536-90-4399",
    "536-90-43991",
    "A536-90-4399",
    "SSN: 000123456",
    "2024-12-3456",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactSsn().find(text) == [value]
    assert rewritten(text) == before + RedactSsn().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactSsn().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactSsn().token(FOUND[0][1], SECRET)
    assert token.startswith("[SSN_")
    assert token != RedactSsn().token(FOUND[0][1], b"another key")
    assert RedactSsn().find(token) == []
