import polars as pl
import pytest

from flywheel.edits.redact_iban import RedactIban

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactIban().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("my iban is ", "gb29nwbk60161331926819", ""),
    ("pay to ", "GB29 NWBK 6016 1331 9268 19", ", please"),
    ("", "DE89370400440532013000", ""),
    ("계좌 ", "NO93 8601 1117 947", "입니다"),
    ("", "FR1420041010050500013M02606", ""),
    ('{"iban":"\\n', "DE89 3704 0044 0532 0130 00", '"}'),
    ("", "MT84MALT011000012345MTLCAST001S", " AND MORE"),
]
LEFT = [
    "DE88370400440532013000",
    "XX89370400440532013000",
    "ADE89370400440532013000",
    "DE893704004405320130001",
    "DE89 3704 0044 0532 0130",
    "GB29 is a code, NWBK another",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactIban().find(text) == [value]
    assert rewritten(text) == before + RedactIban().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactIban().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactIban().token(FOUND[0][1], SECRET)
    assert token.startswith("[IBAN_")
    assert token != RedactIban().token(FOUND[0][1], b"another key")
    assert RedactIban().find(token) == []


def test_one_account_is_one_token():
    assert RedactIban().token("DE89 3704 0044 0532 0130 00", SECRET) == RedactIban().token(
        "DE89370400440532013000", SECRET
    )
