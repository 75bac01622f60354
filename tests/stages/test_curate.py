"""Filters say no with every reason; the best of each duplicate group stays."""

import datetime as dt
from typing import ClassVar, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.kinds import Filter
from flywheel.stages.curate import choose, judge


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
