import time

import polars as pl
import pytest

from flywheel.texts import prose


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("plain", []),
        ("a `b` c ``d ` e`` f", ["`b`", "``d ` e``"]),
        ("```py\nx `y` z\n```\n`w`", ["```py\nx `y` z\n```", "`w`"]),
        ("````\n```\n````", ["````\n```\n````"]),
        ("~~~\nx\n~~~", ["~~~\nx\n~~~"]),
        ("1. do\n   ```sh\n   ls\n   ```\ndone", ["   ```sh\n   ls\n   ```"]),
        ("never `closed", []),
        ("one ` here\n\nand ` there", []),  # another paragraph
        ("```\nnever closed", ["```\nnever closed"]),
        ("``` not a fence `` ` ```", ["``` not a fence `` ` ```"]),
        ("한글 `코드` 한글", ["`코드`"]),
    ],
)
def test_where_code_is(text, code):
    assert [text[a:b] for a, b in prose.code(text)] == code


def test_prose_is_changed_and_code_is_not():
    assert prose.outside_code("a `b` c\n```\nd\n```\ne", str.upper) == "A `b` C\n```\nd\n```\nE"
    assert prose.without_code("a `b` c") == "a   c"


def test_only_texts_with_the_pattern_are_looked_at():
    seen = []
    frame = pl.DataFrame({"t": ["x1", "y", None]})
    new = frame.select(prose.changed_where(pl.col("t"), "[0-9]", lambda t: seen.append(t) or "z")).to_series()
    assert (new.to_list(), seen) == (["z", "y", None], ["x1"])


@pytest.mark.parametrize("text", ["`" * 300_000, "` `` " * 60_000, "```\n" * 60_000, "~" * 300_000, "x\n\n`" * 60_000])
def test_made_to_hurt(text):
    began = time.perf_counter()
    prose.code(text)
    assert time.perf_counter() - began < 2


def test_only_what_changes_is_put_in_its_place():
    frame = pl.DataFrame({"t": ["x1", "y2", None]})
    new = frame.select(prose.changed_where(pl.col("t"), "[0-9]", lambda t: t.replace("x", "z"))).to_series()
    assert new.to_list() == ["z1", "y2", None]


def test_holding_asks_further_only_where_the_first_is_found():
    texts = pl.Series(["a1", "b1", "a", None])
    assert prose.holding(texts, "1").to_list() == [0, 1]
    assert prose.holding(texts, "1", "a").to_list() == [0]


def test_foreign_texts_have_a_character_beyond_ascii():
    assert prose.foreign(pl.Series(["a", "é", "가", "", None])).to_list() == [False, True, True, False, None]
