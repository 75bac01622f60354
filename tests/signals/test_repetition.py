import random
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.recipe import parse_recipe
from flywheel.signals.repetition import DUPLICATE, SHARES, TOP, Repetition
from tests.build import chat, rows


def measured(*replies: str) -> list[dict[str, float]]:
    frame = rows(
        *[chat("user: go", {"role": "assistant", "content": r}, id=f"s:{n:04}") for n, r in enumerate(replies)]
    )
    return Repetition().measure(frame.lazy()).collect().drop("id").to_dicts()


def by_hand(text: str) -> dict[str, float]:
    """The same, word by word."""
    words = text.split()
    told: dict[str, float] = {"reply_terms": len(words)}
    for n in (*TOP, *DUPLICATE):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        if n in TOP:
            most = max(Counter(grams).values(), default=0)
            told[f"top_{n}gram"] = min(1.0, most * n / len(words)) if most > 2 else 0.0
        else:
            seen, covered = set(), set()
            for i, gram in enumerate(grams):
                if gram in seen:
                    covered |= set(range(i, i + n))
                seen.add(gram)
            told[f"repeated_{n}gram"] = len(covered) / len(words) if words else 0.0
    lines = Counter(joined for line in text.split("\n") if len(joined := " ".join(line.split())) > 20)
    every, most = sum(lines.values()), max(lines.values(), default=0)
    told["top_line"] = most / every if most > 2 else 0.0
    told["repeated_lines"] = (every - len(lines)) / every if every else 0.0
    parts = Counter(joined for part in text.split("\n\n") if len(joined := " ".join(part.split())) > 20)
    every = sum(parts.values())
    told["repeated_paragraphs"] = (every - len(parts)) / every if every else 0.0
    return told


def test_what_is_counted_at_once_is_what_is_counted_word_by_word():
    chance = random.Random(7)
    words = ["a", "bb", "longer", "환불은", "x" * 70, "y" * 65, "sixteen_letters_", "é"]
    texts = [
        "".join(
            chance.choice(words) + chance.choice([" ", " ", " ", "\n", "\n\n"]) for _ in range(chance.randrange(90))
        )
        for _ in range(150)
    ]
    texts += [
        "",
        "one",
        "a a a",
        "same line of some length\n" * 5,
        ("part one is here\n\n" + "part two is here, too\n\n") * 3,
    ]
    for text, told in zip(texts, measured(*texts), strict=True):
        assert told == pytest.approx(by_hand(text), abs=1e-6), text


def test_japanese_and_chinese_are_counted_by_character():
    [told] = measured("好的，" * 10)
    assert told["reply_terms"] == 30
    assert told["top_3gram"] == 1.0


def test_a_text_ends_where_it_ends():
    first, second = measured("one two three four five six", "one two three four five six")
    assert first == second
    assert not any(first[share] for share in SHARES)


def test_it_is_measured_where_something_reads_it_and_only_there():
    uses = [s.use for s in parse_recipe('name = "r"').signals]
    assert "repetition" not in uses
    assert "texture" not in uses
    uses = [s.use for s in parse_recipe('name = "r"\n[[filter]]\nuse = "repetitive"').signals]
    assert "repetition" in uses
    rule = '[[filter]]\nuse = "matches"\nname = "odd"\ncolumn = "byte_entropy"\noperator = "below"\nvalue = 2'
    assert "texture" in [s.use for s in parse_recipe(f'name = "r"\n{rule}').signals]
    assert "texture" in [s.use for s in parse_recipe('name = "r"\n[[signal]]\nuse = "texture"').signals]


def test_a_changed_threshold_measures_nothing_again():
    one, two = (parse_recipe(f'name = "r"\n[[filter]]\nuse = "repetitive"\nmax_share = {s}') for s in (0.3, 0.4))
    assert [s.step() for s in one.signals] == [s.step() for s in two.signals]
    assert one.filters != two.filters


def test_no_rows():
    assert Repetition().measure(chat("user: x").clear().lazy()).collect().schema == pl.Schema(
        {"id": pl.String, **Repetition.gives}
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c\n", "d\n\n", "longer words"]), max_size=60), min_size=1, max_size=5)
)
def test_few_words_that_come_again_and_again(texts):
    replies = [" ".join(words) for words in texts]
    for text, told in zip(replies, measured(*replies), strict=True):
        assert told == pytest.approx(by_hand(text), abs=1e-6), text
