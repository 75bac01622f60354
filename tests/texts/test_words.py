import polars as pl
import pytest

from flywheel.texts.words import letters, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Janet’s ducks, 16 EGGS!", ["janet", "s", "ducks", "16", "eggs"]),
        ("오늘 날씨", ["오", "늘", "날", "씨"]),
        ("東京 2026年", ["東", "京", "2026", "年"]),
        ("Où est-ce ? Größe", ["où", "est", "ce", "größe"]),
        ("…—!?", []),
        ("", []),
        (None, []),
    ],
)
def test_words(text, expected):
    assert words(pl.Series("t", [text, "b"], dtype=pl.String)).to_list() == [expected, ["b"]]


def test_letters():
    frame = pl.DataFrame({"t": ["A b, C!", "안녕, 하세요…", None]})
    assert frame.select(letters(pl.col("t"))).to_series().to_list() == ["abc", "안녕하세요", None]
