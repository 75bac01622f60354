import polars as pl
import pytest

from flywheel.edits.redact_address import RedactAddress

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactAddress().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("I live at ", "123 Main Street", "."),
    ("Ship to ", "456 Elm St., Apt 4B, Springfield, IL 62704", ""),
    ("", "987 N Oak Avenue, Portland, OR 97205-1234", ""),
    ("", "221b Baker Street, London NW1 6XE", ""),
    ("my postcode is ", "SW1A 1AA", "."),
    ("PO: ", "P.O. Box 149", ""),
    ("", "PSC 0413, Box 8144\nAPO AA 42323", ""),
    ("", "Hauptstraße 12a, 10115 Berlin", ""),
    ("Wir wohnen in der ", "Lange Gasse 7", "."),
    ("", "Karl-Marx-Allee 34", ""),
    ("J'habite au ", "36 rue de la Paix, 75002 Paris", ""),
    ("", "12 bis, avenue Foch", ""),
    ("", "Via Roma 131", ""),
    ("vive en ", "Calle de Alcalá 42", ""),
    ("", "Rua João Pessoa 1636", ""),
    ("", "Keizersgracht 123", ""),
    ("", "Kiannonkatu 98", ""),
    ("", "Magasinsgatan 7", ""),
    ("주소는 ", "서울특별시 강남구 테헤란로 152", "입니다"),
    ("", "서울 마포구 월드컵북로 396, 12층"[:-5], ", 12층"),
    ("", "경기도 성남시 분당구 판교역로 166", " 카카오"),
    ("", "부산광역시 해운대구 우동 1408-5", "에 삽니다"),
    ("", "강남구 역삼동 825-20번지 101동 1203호", ""),
    ("ZIP code: ", "94107", ""),
    ("우편번호: ", "06236", ""),
]
LEFT = [
    "We have 10 Bronze Status families and 7 Silver Status families.",
    "the 2008 Wall Street crash",
    "Flight HAT052 departs at 03:00 EST. Please proceed.",
    "The ticket ID 83912 can be closed; OK 12345.",
    "Chapter 3 Road to Reality, 5 Ways to Win",
    "On Main Street in London, near the Via Appia.",
    "사회복무요원으로 2년간 일했다",
    "다시 학교로 3시에 돌아왔다. 친구 집으로 2번 갔다.",
    "강남구에서 3개, 서초구 가게로 5명이 왔다",
    "unit 3 of the course, box 12, suite of tests",
    "int place = 10; way 5; const street = 4",
    "x86 Street, v2.3 Close",
    "A1 2BC3",
    "sha1 a9b8c7",
    "12 monkeys on the road",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactAddress().find(text) == [value]
    assert rewritten(text) == before + RedactAddress().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactAddress().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactAddress().token(FOUND[0][1], SECRET)
    assert token.startswith("[ADDRESS_")
    assert len(token) == len("[ADDRESS_]") + 8
    assert RedactAddress().find(token) == []


def test_the_same_address_is_one_value_however_it_is_spaced():
    assert RedactAddress().token("123 Main Street", SECRET) == RedactAddress().token("123  main street", SECRET)
