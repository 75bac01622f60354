import polars as pl
import pytest

from flywheel.edits.redact_krn import RedactKrn

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactKrn().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("사업자등록번호 ", "220-81-62517", ""),
    ("", "124-81-00998", ""),
    ("", "120-81-47521", "번"),
    ("사업자등록번호: ", "2208162517", ""),
    ("사업자번호는 ", "220 81 62517", ""),
    ("business registration number: ", "1248100998", ""),
]
LEFT = [
    "220-81-62518",
    "2208162517",
    "020-81-62517",
    "220-81-625170",
    "1220-81-62517",
    "010-8162-5170",
    "220-81-6251",
    "사업자등록번호: 2208162518",
    "2024-81-62517",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactKrn().find(text) == [value]
    assert rewritten(text) == before + RedactKrn().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactKrn().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactKrn().token(FOUND[0][1], SECRET)
    assert token.startswith("[KRN_")
    assert token != RedactKrn().token(FOUND[0][1], b"another key")
    assert RedactKrn().find(token) == []
