import base64
import math
from collections import Counter

import polars as pl
import pytest

from flywheel.signals.texture import STOP_WORDS, Texture
from tests.build import chat, rows

REPLIES = [
    "",
    " \n\t\n ",
    "One.",
    "The cat sat on THE mat, and it was (very) happy: 100%!",
    "- one\n* two\n  3) three\n4. four\n-five\n\nend",
    "Wait...\nso…\nfine.\r\nno...  ",
    "환불은 사흘 안에 처리됩니다. NO 문제!",
    "東京は晴れです。気温は20度。",
    "😀 #tag $5 <b>x</b> {a: [1]} | --- |",
    "a\x00b\x01 \ufffd \ue001",
    "x" * 59 + " " + "y" * 60 + " " + base64.b64encode(bytes(range(200))).decode(),
    "long " * 300_000,
    "it IS is\u2028the\u2029end",
]


def measured(replies: list[str]) -> pl.DataFrame:
    frame = rows(
        *[chat("user: go", {"role": "assistant", "content": r}, id=f"s:{n:03}") for n, r in enumerate(replies)]
    )
    return Texture().measure(frame.lazy()).collect()


def by_hand(text: str) -> dict[str, float]:
    """The measures that need no pattern, counted one character at a time."""
    words = text.replace("\n", " ").replace("\t", " ").replace("\r", " ").split(" ")
    words = [w for w in words if w]
    lines = text.split("\n")
    letters = [c for c in text if (c.isascii() and c.isalpha()) or not c.isascii()]
    solid = [c for c in text if c not in " \n\t\r"]
    data = text.encode()
    counts = Counter(data)
    entropy = -sum(n / len(data) * math.log2(n / len(data)) for n in counts.values()) if data else 0.0
    return {
        "letters": len(letters),
        "lines": sum(bool(line.strip(" \t\r")) for line in lines),
        "longest_line": max(map(len, lines)),
        "symbol_share": sum(c in "#$%&*+/<>@[\\]^_`{}~=" for c in solid) / max(len(solid), 1),
        "capital_share": sum(c.isascii() and c.isupper() for c in letters) / max(len(letters), 1),
        "byte_entropy": entropy,
        "stop_words_en": sum(w.lower() in STOP_WORDS for w in words) / max(len(words), 1),
    }


def test_what_is_counted_at_once_is_what_is_counted_by_hand():
    told = measured(REPLIES)
    for text, row in zip(REPLIES, told.iter_rows(named=True), strict=True):
        expected = by_hand(text)
        if any("\u3040" <= c <= "\u9fff" for c in text):
            del expected["stop_words_en"]  # where characters are words, words are not parted by spaces
        assert {k: row[k] for k in expected} == pytest.approx(expected, abs=1e-5), text[:40]


@pytest.mark.parametrize(
    ("reply", "column", "value"),
    [
        (REPLIES[4], "bullet_share", 4 / 6),
        ("-1\n-2\n*bold*", "bullet_share", 0),
        (REPLIES[5], "ellipsis_share", 3 / 4),
        (REPLIES[6], "stop_words_ko", 3 / 6),
        (REPLIES[3], "lettered_word_share", 11 / 12),
        (REPLIES[9], "garbled_share", 4 / 8),
        ("ab cd", "mean_word_chars", 2.0),
        ("é" * 60, "blob_share", 0.0),
    ],
)
def test_shares(reply, column, value):
    assert measured([reply])[column].item() == pytest.approx(value, abs=1e-6)


def test_blobs_are_long_runs_of_digits():
    told = measured([REPLIES[10]]).row(0, named=True)
    assert told["blob_share"] == pytest.approx((60 + 268) / (59 + 60 + 268 + 2))
    shorter = Texture(blob=50).measure(chat("user: x", f"assistant: {'x' * 59}").lazy()).collect()
    assert shorter["blob_share"].item() == 1.0


def test_equal_replies_are_measured_alike_and_every_row_is_there():
    told = measured(["Same.", "Other!", "Same."])
    assert told["id"].to_list() == ["s:000", "s:001", "s:002"]
    assert told.drop("id").row(0) == told.drop("id").row(2)
    assert told.null_count().sum_horizontal().item() == 0
