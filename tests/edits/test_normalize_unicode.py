import unicodedata

import polars as pl
import pytest

from flywheel.edits.normalize_unicode import NormalizeUnicode


def normal(text: str | None, **parameters: str) -> str | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    return frame.select(NormalizeUnicode(**parameters).rewrite(pl.col("text"), b"")).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafe\u0301", "café"),
        (unicodedata.normalize("NFD", "한국어 문장"), "한국어 문장"),
        ("cafe\u0301 `cafe\u0301`", "café `cafe\u0301`"),  # code keeps every byte
        ("```\ne\u0301\n```", "```\ne\u0301\n```"),
        ("ｆｕｌｌ ﬁ 2²", "ｆｕｌｌ ﬁ 2²"),  # only NFKC changes these
        ("plain ASCII", "plain ASCII"),
        ("日本語 русский العربية हिन्दी 👩‍💻", "日本語 русский العربية हिन्दी 👩‍💻"),
        (None, None),
    ],
)
def test_nfc(text, expected):
    assert normal(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ｆｕｌｌ ﬁ", "full fi"), ("2²", "22"), ("e\u0301", "é"), ("`ﬁ`", "`ﬁ`"), ("한국어", "한국어")],
)
def test_nfkc(text, expected):
    assert normal(text, form="NFKC") == expected
