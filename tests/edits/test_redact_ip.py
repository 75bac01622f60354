import polars as pl
import pytest

from flywheel.edits.redact_ip import RedactIp

SECRET = b"k" * 32


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactIp().rewrite(pl.col("text"), SECRET)).item()


FOUND = [
    ("from ", "192.168.1.20", ""),
    ("", "8.8.8.8", ":53"),
    ("http://", "203.0.113.7", "/x"),
    ("서버 ", "10.1.2.3", "에서"),
    ("Host:", "172.16.0.9", "/24."),
    ("", "2001:db8::ff00:42:8329", ""),
    ("[", "fe80::1", "]:80"),
    ("", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", ""),
    ('{"ip":"\\n', "10.0.0.7", '"}'),
]
LEFT = [
    "v1.2.3.4",
    "version 1.2.3.4",
    "Version: 1.2.3.4",
    "버전 1.2.3.4",
    "pkg==1.2.3.4",
    "Chrome/120.0.6.109",
    "lib-1.2.3.4",
    "section 3.2.1.4",
    "§3.2.1.4",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "127.0.0.1",
    "0.0.0.0",
    "255.255.255.0",
    "::1",
    "std::abs(a::b)",
    "12:34:56",
    "00:1A:2B:3C:4D:5E",
    "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01",
]


@pytest.mark.parametrize(("before", "value", "after"), FOUND)
def test_replaced(before, value, after):
    text = before + value + after
    assert RedactIp().find(text) == [value]
    assert rewritten(text) == before + RedactIp().token(value, SECRET) + after


@pytest.mark.parametrize("text", LEFT)
def test_left_alone(text):
    assert RedactIp().find(text) == []
    assert rewritten(text) == text


def test_the_token_names_the_kind_and_not_the_value():
    token = RedactIp().token(FOUND[0][1], SECRET)
    assert token.startswith("[IP_")
    assert token != RedactIp().token(FOUND[0][1], b"another key")
    assert RedactIp().find(token) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("192.168.1.20", []), ("10.1.2.3", []), ("fd12:3456:789a::1", []), ("8.8.8.8", ["8.8.8.8"])],
)
def test_public_only(text, found):
    assert RedactIp(public_only=True).find(text) == found
