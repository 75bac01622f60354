"""Filters say no with every reason; the best of each duplicate group stays."""

import datetime as dt
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.kinds import Filter
from flywheel.recipe import parse_recipe
from flywheel.signals.shared_passages import SharedPassages
from flywheel.stages.curate import choose, judge, original, usual
from flywheel.storage.snapshots import Snapshot, Store
from flywheel.texts.passages import sketch
from tests.build import chat
from tests.pools import snapshot


class _Long(Filter, frozen=True):
    use: Literal["long"] = "long"

    def reject(self) -> pl.Expr:
        return pl.col("reply_chars") > 10


class _Odd(Filter, frozen=True):
    use: Literal["odd"] = "odd"

    def reject(self) -> pl.Expr:
        return pl.col("reply_chars") % 2 == 1


class _Unloved(Filter, frozen=True):
    use: Literal["unloved"] = "unloved"
    rejects: ClassVar[Literal["row", "target"]] = "target"

    def reject(self) -> pl.Expr:
        return pl.col("thumb") < 0


def test_every_reason_is_kept_and_null_means_stay() -> None:
    rows = pl.LazyFrame({"id": ["a", "b", "c"], "reply_chars": [11, 4, None], "thumb": [-1, None, 1]})
    judged = judge(rows, [_Long(), _Odd(), _Unloved()]).collect()
    assert judged["reasons"].to_list() == [["long", "odd"], [], []]
    assert judged["undesired"].to_list() == [["unloved"], [], []]


class _Larger(Filter, frozen=True):
    use: Literal["larger"] = "larger"
    than: int

    @property
    def reason(self) -> str:
        return f"over_{self.than % 70}"

    def reject(self) -> pl.Expr:
        return pl.col("reply_chars") > self.than


class _Always(Filter, frozen=True):
    use: Literal["always"] = "always"

    def reject(self) -> pl.Expr:
        return pl.lit(True)


def test_however_many_verdicts_there_are_each_reason_is_given_once_and_in_order() -> None:
    rows = pl.LazyFrame({"id": ["a", "b", "c"], "reply_chars": [2, 0, 100]})
    judged = judge(rows, [_Larger(than=n) for n in range(75)]).collect()
    assert judged["reasons"].to_list() == [["over_0", "over_1"], [], [f"over_{n}" for n in range(70)]]


def test_a_verdict_that_looks_at_no_column_is_given_of_every_row() -> None:
    assert judge(pl.LazyFrame({"id": ["a", "b"]}), [_Always()]).collect()["reasons"].to_list() == [["always"]] * 2
    assert judge(pl.LazyFrame({"id": []}), [_Always()]).collect()["reasons"].to_list() == []


def test_without_filters_every_row_stays() -> None:
    judged = judge(pl.LazyFrame({"id": ["a"]}), []).collect()
    assert judged["reasons"].to_list() == [[]]


NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def copies(*rows: dict[str, object]) -> pl.DataFrame:
    """Rows of one near-duplicate group, named a, b, c …, with these columns."""
    default = {
        "near_group": "a",
        "near_similarity": 0.9,
        "thumb": None,
        "rating": None,
        "implicit": None,
        "correction": None,
        "reply_chars": 10,
    }
    return pl.DataFrame(
        [
            {
                "id": "abcdef"[i],
                "exact_group": "abcdef"[i],
                "undesired": [],
                "occurred_at": NOON + dt.timedelta(hours=i),
            }
            | default
            | r
            for i, r in enumerate(rows)
        ],
        schema_overrides={
            "near_similarity": pl.Float64,
            "thumb": pl.Int8,
            "rating": pl.Float64,
            "implicit": pl.Float64,
            "correction": pl.String,
            "undesired": pl.List(pl.String),
            "reply_chars": pl.Int32,
            "occurred_at": pl.Datetime("us", "UTC"),
        },
    )


@pytest.mark.parametrize(
    ("keep", "rows", "kept"),
    [
        ("best_feedback", [{"thumb": None}, {"thumb": 1}, {"thumb": -1}], "b"),
        ("best_feedback", [{"rating": 5.0}, {"rating": 2.0}, {}], "a"),
        ("best_feedback", [{"undesired": ["disliked"]}, {}, {"thumb": -1}], "b"),
        ("best_feedback", [{"correction": "Better."}, {}], "b"),
        ("best_feedback", [{}, {}, {}], "c"),
        ("newest", [{"thumb": 1}, {}], "b"),
        ("longest", [{"reply_chars": 99}, {}, {"thumb": 1}], "a"),
    ],
)
def test_row_145_which_copy_stays_is_a_policy(keep: str, rows: list[dict[str, object]], kept: str) -> None:
    chosen = choose(copies(*rows), keep)
    stays = chosen.filter(pl.col("instead").is_null())
    assert stays["id"].to_list() == [kept]
    assert set(chosen.filter(pl.col("instead").is_not_null())["instead"]) == {kept}


def test_a_removed_row_says_whether_it_was_exact_or_near() -> None:
    rows = copies({"thumb": 1}, {"exact_group": "a"}, {})
    told = {r["id"]: (r["reasons"], r["similarity"]) for r in choose(rows, "best_feedback").iter_rows(named=True)}
    assert told == {"a": ([], None), "b": (["exact_duplicate"], 1.0), "c": (["near_duplicate"], None)}


@given(st.permutations(range(5)))
def test_the_choice_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    rows = copies({}, {"thumb": 1}, {"thumb": 1, "reply_chars": 4}, {"rating": 5.0}, {})
    shuffled = rows[order]
    assert choose(shuffled, "best_feedback").sort("id").equals(choose(rows, "best_feedback").sort("id"))


QUOTE = "We ship every order on the day it is paid."


def sketched(folder: Path, *replies: str) -> Snapshot:
    """Measurements of rows a, b, c … that hold the sketches of these replies."""
    sketches = sketch(pl.Series(list("abcdef"[: len(replies)])), pl.Series(replies), "paragraph", 10)
    return snapshot(Store(folder), "measurements", {"rows": sketches.select("id"), "shared_passages": sketches})


def alone(*rows: dict[str, object]) -> pl.DataFrame:
    """Rows a, b, c … of which none is a duplicate of another, after the choice among duplicates."""
    return choose(copies(*[{"near_group": "abcdef"[i]} | r for i, r in enumerate(rows)]), "best_feedback")


def test_row_139_a_row_made_of_what_better_rows_hold_names_the_row_kept(tmp_path: Path) -> None:
    measurements = sketched(
        tmp_path, f"{QUOTE}\n\nSo yours is on its way.", QUOTE, QUOTE.upper(), "Something else entirely."
    )
    rows = alone({"thumb": 1}, {}, {}, {})
    told = original(rows, measurements, [SharedPassages()], "best_feedback", 0.6)
    found = [(r["id"], r["reasons"], r["instead"], r["similarity"]) for r in told.iter_rows(named=True)]
    shared = ["shared_passages"]
    assert found == [("a", [], None, None), ("b", shared, "a", 1.0), ("c", shared, "a", 1.0), ("d", [], None, None)]


def test_without_a_bound_no_row_is_left_out_for_its_passages(tmp_path: Path) -> None:
    measurements, rows = sketched(tmp_path, QUOTE, QUOTE, QUOTE), alone({}, {}, {})
    assert original(rows, measurements, [SharedPassages()], "newest", None).equals(rows)
    assert original(rows, measurements, [], "newest", 0.5).equals(rows)


def test_a_duplicate_holds_no_passage_against_another_row(tmp_path: Path) -> None:
    """b is gone already: only a and c hold the quote, too few to count."""
    measurements = sketched(tmp_path, QUOTE, QUOTE, QUOTE)
    rows = choose(copies({"thumb": 1}, {}, {"near_group": "c"}), "best_feedback")
    told = original(rows, measurements, [SharedPassages()], "best_feedback", 0.5)
    assert told.filter(pl.col("instead").is_not_null())["id"].to_list() == ["b"]


@given(st.permutations(range(4)))
def test_passages_are_kept_by_the_same_row_in_any_order(order: list[int]) -> None:
    frames = [sketch(pl.Series([i]), pl.Series([QUOTE]), "paragraph", 10) for i in "abcd"]
    measurements = _InMemory(pl.concat([frames[i] for i in order]))
    told = original(alone({}, {"thumb": 1}, {}, {})[order], measurements, [SharedPassages()], "best_feedback", 0.5)  # type: ignore[arg-type]
    assert told.sort("id")["instead"].to_list() == ["b", None, "b", "b"]


class _InMemory:
    """Sketches that are not stored."""

    def __init__(self, sketches: pl.DataFrame) -> None:
        self.sketches, self.schemas = sketches, {"shared_passages": sketches.schema}

    def scan(self, _: str) -> pl.LazyFrame:
        return self.sketches.lazy()


def test_four_heuristics_have_four_codes():
    """Row 109; the fourth of them, one instruction with different replies, is what the conflicts of a pool tell."""
    fixtures = {
        "repetitive": ("Tell me", "I do not know what to say. " * 10),
        "too_short": ("Tell me", "No."),
        "too_long": ("Tell me", " ".join(f"word{n}" for n in range(9000))),
        "echo": ("What is the capital of France, please?", "What is the capital of France, please?"),
    }
    recipe = parse_recipe(
        'name = "r"\n' + "".join(f'[[filter]]\nuse = "{use}"\n' for use in fixtures) + '[[filter]]\nuse = "garbled"\n'
    )
    filters = [f.model_copy(update={"min_words": 2} if f.use == "too_short" else {}) for f in recipe.filters]
    for code, (asked, reply) in fixtures.items():
        row = chat(f"user: {asked}", {"role": "assistant", "content": reply})
        for signal in recipe.signals:
            if signal.scope == "row":
                row = row.join(signal.measure(row.lazy()).collect(), on="id", how="left")
        assert judge(row.lazy(), filters).collect()["reasons"].to_list() == [[code]]


def test_rows_unlike_the_others_are_left_out_and_stand_for_no_copy() -> None:
    rows = copies({}, {"thumb": 1}, {}).with_columns(anomaly_score=pl.Series([1.0, 30.0, None]))
    stay, odd = usual(rows, 20.0)
    assert stay["id"].to_list() == ["a", "c"]
    assert odd.select("id", "reasons").rows() == [("b", ["anomaly"])]
    assert usual(rows, None)[0].height == 3
