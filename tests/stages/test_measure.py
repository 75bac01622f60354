"""Signals are measured per day, once; those that compare look across all days."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
import pytest

from flywheel.kinds import Signal
from flywheel.lineage import Dataset, Derivation, Part, cause
from flywheel.records import CONVERSATIONS, last_reply
from flywheel.signals.near_duplicate import NearDuplicate
from flywheel.stages.measure import match, measure, relate
from flywheel.storage.snapshots import Snapshot, Store
from tests.build import chat, rows


class _Chars(Signal, frozen=True):
    use: Literal["chars"] = "chars"
    gives: ClassVar[Mapping[str, Any]] = {"chars": pl.UInt32}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select("id", chars=last_reply().str.len_chars())


class _Same(Signal, frozen=True):
    use: Literal["same"] = "same"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    gives: ClassVar[Mapping[str, Any]] = {"first": pl.String}

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select("id", "digest")

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        return sketches.select("id", first=pl.col("id").min().over("digest"))


SIGNALS = (_Chars(), _Same())
DAY = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


def published(store: Store, *days: pl.DataFrame) -> Snapshot:
    """Conversations, a part for each frame."""
    parts = [
        Part(str(d["day"][0]), cause(d["digest"].to_list(), d["id"].to_list()), lambda d=d: {"rows": d}) for d in days
    ]  # type: ignore[misc]
    return store.publish(
        Dataset("conversations", {"rows": CONVERSATIONS}, parts, Derivation(operation=f"test {len(days)}"))
    )


def test_another_day_measures_that_day_and_relates_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    monday = rows(
        chat("user: hi", "assistant: hello", id="l:a", occurred_at=DAY),
        chat("user: hi", "assistant: hey", id="l:c", occurred_at=DAY),
    )
    tuesday = chat("user: hi", "assistant: hey", id="l:b", occurred_at=DAY + dt.timedelta(days=1))
    one = store.publish(measure(published(store, monday), SIGNALS))
    assert one.made == ("2026-03-02",)
    two = store.publish(measure(published(store, monday, tuesday), SIGNALS))
    assert two.made == ("2026-03-03",)
    signals = store.publish(relate(two, SIGNALS))
    assert signals.scan().sort("id").select("id", "chars", "first").collect().rows() == [
        ("l:a", 5, "l:a"),
        ("l:b", 3, "l:b"),
        ("l:c", 3, "l:b"),
    ]
    again = store.publish(relate(two, SIGNALS))
    assert (again.made, again.version) == ((), signals.version)


def test_no_conversations_still_have_columns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    signals = store.publish(relate(store.publish(measure(published(store), SIGNALS)), SIGNALS))
    assert signals.count() == 0
    assert signals.scan().collect_schema().names() == ["id", "day", "chars", "first"]


def test_a_changed_threshold_measures_nothing_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    calls = published(
        store, rows(chat("user: hi", "assistant: hello", id="l:a"), chat("user: hi", "assistant: hey", id="l:b"))
    )
    loose, strict = NearDuplicate(threshold=0.6), NearDuplicate(threshold=0.9)
    store.publish(measure(calls, (loose,)))
    again = store.publish(measure(calls, (strict,)))
    assert again.made == ()
    assert store.publish(relate(again, (strict,))).derivation.steps[0].parameters["threshold"] == 0.9
    assert store.publish(measure(calls, (NearDuplicate(ngram=3),))).made == ("2026-03-02",)


class _Model(Signal, frozen=True):
    use: Literal["model"] = "model"
    gives: ClassVar[Mapping[str, Any]] = {"verdict": pl.Float64}
    missing: ClassVar[bool] = True

    def absent(self) -> str | None:
        return "the model is not installed. Install it." if self.missing else None

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select("id", verdict=pl.lit(0.5))


def test_an_absent_signal_is_null_with_a_reason_and_measured_once_its_model_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    calls = published(store, chat("user: hi", "assistant: hello", id="l:a"))
    without = store.publish(relate(store.publish(measure(calls, (_Chars(), _Model()))), (_Chars(), _Model())))
    assert without.scan().select("chars", "verdict").collect().rows() == [(5, None)]
    assert without.notes["absent"] == {"model": "the model is not installed. Install it."}
    monkeypatch.setattr(_Model, "missing", False)
    having = store.publish(measure(calls, (_Chars(), _Model())))
    assert having.made == ("2026-03-02",)
    assert having.scan().select("verdict").collect().item() == 0.5
    assert having.notes["absent"] == {}


LONG = " ".join(f"word{n}" for n in range(60))
NEAR = (NearDuplicate(),)


def near_days(*days: list[tuple[str, str]]) -> list[pl.DataFrame]:
    """Conversations of one day after the other: id and reply."""
    return [
        rows(*[chat("user: q", f"assistant: {t}", id=i, occurred_at=DAY + dt.timedelta(days=n)) for i, t in said])
        for n, said in enumerate(days)
    ]


def groups(signals: Snapshot) -> dict[str, tuple[str, float | None]]:
    found = signals.scan().select("id", "near_group", "near_similarity").collect()
    return {i: (g, s) for i, g, s in found.rows()}


def test_one_more_day_is_matched_once_and_gives_what_all_days_at_once_would(tmp_path: Path) -> None:
    store = Store(tmp_path)
    days = near_days(
        [("l:a", LONG), ("l:b", "something else altogether, and at some length")],
        [("l:c", LONG + " more"), ("l:d", LONG)],
        [("l:e", LONG.upper() + " more and more"), ("l:f", "nothing of the kind")],
    )
    measured = store.publish(measure(published(store, *days[:2]), NEAR))
    assert store.publish(match(measured, NEAR)).made == ("2026-03-02", "2026-03-03")
    measured = store.publish(measure(published(store, *days), NEAR))
    matches = store.publish(match(measured, NEAR))
    assert matches.made == ("2026-03-04",)
    signals = store.publish(relate(measured, NEAR, matches))
    assert groups(signals) == groups(store.publish(relate(measured, NEAR)))
    assert {i: g for i, (g, _) in groups(signals).items() if g != i} == {"l:c": "l:a", "l:d": "l:a", "l:e": "l:a"}
    assert signals.derivation.inputs == (measured.ref, matches.ref)
    told = matches.scan().collect()
    assert told["compared_by"].to_list() == ["near_duplicate"] * 3
    assert (told["candidates"] >= told["verified"]).all()
    assert told["pairs"].to_list() == [0, 1, 2]


def test_a_late_row_of_an_earlier_day_is_matched_with_the_days_after_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    days = near_days([("l:a", "as it happens")], [("l:c", LONG)], [("l:d", "another matter")])
    store.publish(match(store.publish(measure(published(store, *days), NEAR)), NEAR))
    late = near_days([("l:a", "as it happens"), ("l:b", LONG + " late")])
    measured = store.publish(measure(published(store, *late, *days[1:]), NEAR))
    matches = store.publish(match(measured, NEAR))
    signals = store.publish(relate(measured, NEAR, matches))
    assert groups(signals) == groups(store.publish(relate(measured, NEAR)))
    assert groups(signals)["l:c"][0] == "l:b"


def test_another_threshold_matches_anew_and_another_signal_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    days = near_days([("l:a", LONG), ("l:b", LONG + " more")])
    measured = store.publish(measure(published(store, *days), NEAR))
    assert store.publish(match(measured, NEAR)).made == ("2026-03-02",)
    assert store.publish(match(measured, (NearDuplicate(threshold=0.9),))).made == ("2026-03-02",)
    with_more = store.publish(measure(published(store, *days), (*NEAR, _Chars())))
    assert store.publish(match(with_more, (*NEAR, _Chars()))).made == ()


def test_without_a_signal_that_finds_pairs_there_are_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    measured = store.publish(measure(published(store, *near_days([("l:a", LONG)])), SIGNALS))
    matches = store.publish(match(measured, SIGNALS))
    assert (matches.count(), list(matches.schemas)) == (0, ["rows"])
    assert store.publish(relate(measured, SIGNALS, matches)).count() == 1
