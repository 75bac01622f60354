"""Paragraphs, sentences and spans, as texts are cut into them and known again."""

import polars as pl
import pytest

from flywheel.texts.passages import Level, hashed, held_before, passages, sketch, span_sketch

TEXT = 'He said: "Go home." Then he left!\nNobody  knows why.\n\nHE SAID "GO HOME"?\n\n \n42.'


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("document", ["hesaidgohomethenheleftnobodyknowswhyhesaidgohome42"]),
        ("paragraph", ["hesaidgohomethenheleftnobodyknowswhy", "hesaidgohome", "42"]),
        ("sentence", ["hesaidgohome", "thenheleft", "nobodyknowswhy", "hesaidgohome", "42"]),
    ],
)
def test_row_140_the_level_is_a_parameter(level: Level, expected: list[str]) -> None:
    found = passages(pl.Series([TEXT]), level)
    assert found["passage"].to_list() == expected
    assert found["letters"].to_list() == [len(p) for p in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("안녕하세요. 무엇을 도와드릴까요? 네!", ["안녕하세요", "무엇을도와드릴까요", "네"]),
        ("お元気ですか？はい。「元気です。」", ["お元気ですか", "はい", "元気です"]),
        ("你好！今天很热。", ["你好", "今天很热"]),
        ("Version 3.14 is out, e.g.here", ["version314isouteghere"]),  # a full stop within a word ends nothing
    ],
)
def test_sentences_end_as_their_language_ends_them(text: str, expected: list[str]) -> None:
    assert passages(pl.Series([text]), "sentence")["passage"].to_list() == expected


def test_code_is_no_passage_and_nothing_has_none() -> None:
    texts = pl.Series(["Look:\n```py\nreturn 1\n\nreturn 1\n```\nDone.", "", None, "?!"])
    assert passages(texts, "paragraph").rows() == [(0, "look", 4), (0, "done", 4)]


def test_a_hash_is_the_same_for_ever() -> None:
    """A stored sketch is compared with those of other days and other versions of every package."""
    assert hashed(pl.Series(["a", "b", "a"])).to_list() == [
        3405396810240292928,
        8453121595177857668,
        3405396810240292928,
    ]
    assert hashed(pl.Series([], dtype=pl.String)).to_list() == []


def test_a_sketch_weighs_passages_by_their_letters() -> None:
    one, none = sketch(pl.Series(["a", "b"]), pl.Series(["abc def\n\nabc def!\n\nx", ""]), "paragraph", 3).rows()
    assert one == ("a", hashed(pl.Series(["abcdef"])).to_list(), [12], 13)
    assert none == ("b", [], [], 0)


def words(start: int, count: int) -> str:
    return " ".join(f"word{i}" for i in range(start, start + count))


def test_an_equal_span_is_found_wherever_it_stands() -> None:
    texts = [
        words(0, 90),
        words(200, 33) + " " + words(20, 30) + " " + words(300, 41),
        words(400, 90),
        words(0, 10),
        "",
    ]
    found = {r[0]: set(r[1]) for r in span_sketch(pl.Series(list("abcde")), pl.Series(texts), 30).rows()}
    assert found["a"] & found["b"]
    assert not found["a"] & found["c"]
    assert len(found["d"]) == 1
    assert not found["d"] & found["a"]
    assert found["e"] == set()


def test_the_spans_of_a_text_add_up() -> None:
    (row,) = span_sketch(pl.Series(["a"]), pl.Series([words(0, 100)]), 30).rows()
    assert sum(row[2]) == row[3] == 71
    assert len(row[1]) < 20


def held(texts: dict[str, str], max_share: float = 0.5, min_documents: int = 2) -> list[tuple[str, str, float]]:
    sketches = sketch(pl.Series(list(texts)), pl.Series(list(texts.values())), "paragraph", 3)
    return [(a, b, round(c, 3)) for a, b, c in held_before(sketches, max_share, min_documents).rows()]


def test_row_139_the_row_that_is_preferred_keeps_the_passage() -> None:
    assert held({"a": "one two\n\nthree", "b": "one two\n\nx"}) == [("b", "a", round(6 / 7, 3))]
    assert held({"b": "one two\n\nx", "a": "one two\n\nthree"}) == [("a", "b", round(6 / 11, 3))]


def test_row_139_what_a_removed_row_alone_held_is_not_lost_with_it() -> None:
    """b goes for what it shares with a; c holds what only b held too, and so c stays."""
    assert held({"a": "aaaaaa", "b": "aaaaaa\n\nbbbb", "c": "bbbb"}) == [("b", "a", 0.6)]


def test_row_139_a_reply_put_together_from_several_names_the_one_that_holds_most() -> None:
    rows = {"a": "aaaa\n\nmine", "b": "bbbbbb\n\nher", "c": "aaaa\n\nbbbbbb\n\nc"}
    assert held(rows) == [("c", "b", round(6 / 11, 3))]
    assert held(rows, min_documents=3) == []
    assert held(rows, max_share=0.95) == []


def test_rows_without_passages_are_held_nowhere() -> None:
    assert held({"a": "", "b": ""}) == []
