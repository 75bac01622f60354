import polars as pl
import pytest

from flywheel.edits.redact_phone import RedactPhone

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactPhone().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("Call me on ", "+1-555-0143", "."),
    ("Call ", "+82 10-1234-5678", ""),
    ("", "+44 7700 900123", ""),
    ("", "+46 (0)8 928 571 38", ""),
    ("", "001-518-640-0854", ""),
    ("at ", "541-714-1388", ", please"),
    ("", "(512) 555-2994", ""),
    ("", "345-899-3560x4587", ""),
    ("전화는 ", "010-1234-5678", "입니다"),
    ("", "01012345678", ""),
    ("T.", "010.1234.5678", ""),
    ("서울 ", "02-123-4567", "/"),
    ("", "031 123 4567", ""),
    ("고객센터 ", "1588-1234", ""),
    ("", "07700 063 966", ""),
    ('{"phone":"\\n', "010-1234-5678", '"}'),
    ("Phone:\n", "60-56-85-91", "\n\nE-mail"),
    ("Mobile: ", "723 813 266", ""),
    ("Fax: ", "9498777106", ""),
    ("Name: A\nPhone: ", "(99) 645-791", ""),
    ("Can someone call me on ", "450 0840", "? I have"),
    ("They're not answering at ", "99 668472", ""),
    ("the cell phone number (", "555-3476", ") and"),
    ("연락처는 ", "7012 3456", ""),
    ("手机：", "13812345678", ""),
    ("Tel. ", "030/1234567", ""),
    ("", "0171 1234567", ""),
    ("", "0961-7596216", ""),
    ("", "01.84.17.61.18", "?"),
    ("", "01 84 17 61 18", "."),
    ("", "020 7946 0958", ""),
    ("", "(08) 8747 6301", ""),
    ("", "(71) 4233-6306", ""),
    ("", "03-1234-5678", ""),
]
LEFT = [
    "2024-01-02",
    "01-02-2024 10:30",
    "2024-01-02T03:04:05.678Z",
    "order 1234567890",
    "order #4410-2231-9987",
    "ISBN 978-3-16-148410-0",
    "1800-2000 and 1588-1688",
    "192.168.100.200",
    "3.14159265358979",
    "sk-test75b0f0bd1f46b7e36b9c728756ceeac6",
    "75b0f0bd-1f46-b7e3-6b9c-728756ceeac6",
    "call_0101234567890",
    "x = 12345678 + 87654321",
    "4111 1111 1111 1111",
    "1772416959123",
    "1,234,567,890",
    "0.0101234567",
    "1 000 000 000",
    "1800-1500=$<<1800-1500=300>>300",
    "$1600-1350",
    "1600-1350 = 250",
    "01 02 03 04 05",
    "04 12 23 31 40 are the winning numbers",
    "phone: 2024-11-24",
    "Mobile sales rose 1200 in 2023",
    "call me on 24.12.2026",
    "call me at 10:30, room 204",
    "the hotel: 2000000 guests",
    "python 3.11.9, numpy 2.4.6, v1.2.3-456.789",
    "phones: 4111-1111-1111-1111",
    "0123456789abcdef0123456789abcdef",
    "ISBN-10: 0-306-40615-2",
    "1,200-1,350 and 0.5-0.75",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactPhone().find(text) == [value]
    assert rewritten(text) == before + RedactPhone().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactPhone().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactPhone().token(FOUND[0][1], SECRET)
    assert token.startswith("[PHONE_")
    assert len(token) == len("[PHONE_]") + 8
    assert token != RedactPhone().token(FOUND[0][1], b"another key")
    assert RedactPhone().find(token) == []
