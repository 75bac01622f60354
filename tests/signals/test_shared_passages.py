"""What replies of several rows have in common."""

import polars as pl
import pytest

from flywheel.signals.shared_passages import SharedPassages
from tests.build import chat, rows

QUOTE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all."


def own(i: int) -> str:
    return " ".join(f"own{i}word{n}" for n in range(12)) + "."


def related(signal: SharedPassages, *replies: str) -> list[tuple[float, int, str | None]]:
    """What the signal says of rows s:0, s:1, …"""
    frame = rows(*[chat("user: go", f"assistant: {reply}", id=f"s:{i}") for i, reply in enumerate(replies)])
    found = signal.relate(signal.sketch(frame.lazy())).collect().sort("id")
    return [(round(a, 3), b, c) for _, a, b, c in found.select("id", *signal.gives).rows()]


def test_row_139_the_same_quote_in_three_documents_is_shared() -> None:
    replies = [f"{own(i)}\n\n{QUOTE.upper() if i else QUOTE}" for i in range(3)]
    quoted, whole = (sum(c.isalnum() for c in text) for text in (QUOTE, replies[0]))
    found = related(SharedPassages(), *replies, own(3))
    assert found[:3] == [(round(quoted / whole, 3), 3, "s:0")] * 3
    assert found[3] == (0.0, 1, None)


def test_row_139_two_documents_are_too_few_unless_asked() -> None:
    replies = [f"{own(i)}\n\n{QUOTE}" for i in range(2)]
    assert [f[0] for f in related(SharedPassages(), *replies)] == [0.0, 0.0]
    assert all(f[0] > 0.3 for f in related(SharedPassages(min_documents=2), *replies))


@pytest.mark.parametrize(
    ("level", "found"), [("document", False), ("paragraph", False), ("sentence", True), ("span", True)]
)
def test_row_140_sentences_find_what_documents_miss(level: str, found: bool) -> None:
    replies = [f"{own(i)} {QUOTE} {own(i + 10)}" for i in range(3)]
    signal = SharedPassages.model_validate({"level": level, "span": 15})
    assert [f[0] > 0 for f in related(signal, *replies)] == [found] * 3


@pytest.mark.parametrize("level", ["document", "paragraph", "sentence", "span"])
def test_row_140_the_same_reply_is_shared_at_every_level(level: str) -> None:
    signal = SharedPassages.model_validate({"level": level})
    assert related(signal, QUOTE, QUOTE, QUOTE, own(1), "") == [(1.0, 3, "s:0")] * 3 + [(0.0, 1, None), (0.0, 0, None)]


def test_a_passage_said_twice_in_one_reply_is_not_shared() -> None:
    assert related(SharedPassages(min_documents=2), f"{QUOTE}\n\n{QUOTE}\n\n{QUOTE}") == [(0.0, 1, None)]


def test_the_threshold_measures_nothing_again() -> None:
    assert SharedPassages(min_documents=2).sketch_step() == SharedPassages(min_documents=9).sketch_step()
    assert SharedPassages(level="sentence").sketch_step() != SharedPassages().sketch_step()


def test_ten_thousand_copies_are_no_pairs() -> None:
    frame = pl.concat([chat("user: go", f"assistant: {QUOTE}")] * 10_000)
    frame = frame.with_columns(id=pl.format("s:{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(5)))
    signal = SharedPassages()
    found = signal.relate(signal.sketch(frame.lazy())).collect()
    assert found.select("passage_rows", "passage_first").unique().rows() == [(10_000, "s:00000")]
