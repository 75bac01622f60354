import polars as pl
import pytest

from flywheel.edits.redact_rrn import RedactRrn

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactRrn().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("주민번호 ", "900101-1234567", "입니다"),
    ("", "000229-4123456", ""),
    ("", "851231 - 2123456", ""),
    ('{"rrn":"\\n', "900101-1234567", '"}'),
]
LEFT = [
    "901301-1234567",
    "900230-1234567",
    "010229-3123456",
    "900101-9234567",
    "900101-123456",
    "1900101-1234567",
    "900101-12345678",
    "9001011234567",
    "2024-900101-1234567",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactRrn().find(text) == [value]
    assert rewritten(text) == before + RedactRrn().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactRrn().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactRrn().token(FOUND[0][1], SECRET)
    assert token.startswith("[RRN_")
    assert len(token) == len("[RRN_]") + 8
    assert token != RedactRrn().token(FOUND[0][1], b"another key")
    assert RedactRrn().find(token) == []


@pytest.mark.parametrize(
    ("text", "loose", "strict"),
    [
        ("900101-1234568", True, True),  # row 150
        ("900101-1234567", True, False),
        ("900101-5234561", True, True),  # a foreigner's check digit is another
        ("900101-5234569", True, False),
        ("901301-1234568", False, False),
    ],
)
def test_the_check_digit_is_asked_for_on_request(text, loose, strict):
    assert bool(RedactRrn().find(text)) is loose
    assert bool(RedactRrn(strict=True).find(text)) is strict
