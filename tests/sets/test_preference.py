"""Preference pairs: two replies to one prompt."""

import datetime as dt

import pytest

from flywheel.sets import PICKED
from flywheel.sets.preference import Preference
from flywheel.stages.label import WEIGHTS
from tests.build import chat
from tests.pools import NOON, comparison, comparisons_of, labels_of, pool_of, screened_of

CHATS = (
    chat("user: q", "assistant: one", id="a"),
    chat("user: q", "assistant: two", id="b"),
    chat("user: q", "assistant: one", id="same"),
    chat("user: other", "assistant: three", id="o"),
    chat("user: q", "assistant: two", id="tools", tools="[]"),
    chat("system: s", "user: q", "assistant: four", id="system"),
)


def pick(*comparisons, undesired=None, **parameters):
    rows = screened_of(*CHATS, undesired=undesired)
    picked = Preference(name="p", **parameters).pick(
        pool_of(rows).lazy(), labels_of().lazy(), comparisons_of(*comparisons).lazy()
    )
    assert picked.schema == PICKED
    return picked.to_dicts()


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        (comparison("choice", "b", "a"), []),
        (comparison("choice", "same", "a"), ["NO_CONTRAST"]),
        (comparison("choice", "a", "a"), ["NO_CONTRAST"]),
        (comparison("choice", "o", "a"), ["DIFFERENT_PROMPT"]),
        (comparison("choice", "tools", "a"), ["DIFFERENT_PROMPT"]),
        (comparison("choice", "system", "a"), ["DIFFERENT_PROMPT"]),
        (comparison("choice", "gone", "a"), ["MISSING_SIDE"]),
        (comparison("choice", "b", "gone"), ["MISSING_SIDE"]),
        (comparison("edit", None, "gone", correction="x"), ["MISSING_SIDE"]),
        (comparison("edit", None, "a", correction="x"), []),
    ],
)
def test_row_4_both_sides_answer_the_same_prompt_and_differ(said, reasons):
    (row,) = pick(said)
    assert row["reasons"] == reasons


def test_row_4_an_edit_is_preferred_to_the_reply_it_edits():
    (row,) = pick(comparison("edit", None, "a", correction="better"))
    assert (row["correction"], row["completion_of"], row["rejected_of"], row["signal"]) == ("better", None, "a", "edit")
    assert (row["parents"], row["prompt_of"], row["feedback"]) == (["a"], "a", ["fb:edit"])
    assert row["id"].startswith("a>edit:")
    assert len(row["id"]) == len("a>edit:") + 8


def test_a_choice_names_both_parents():
    (row,) = pick(comparison("choice", "b", "a"))
    assert (row["parents"], row["completion_of"], row["rejected_of"]) == (["b", "a"], "b", "a")


def test_the_preferred_reply_must_be_worth_imitating_the_other_need_not():
    assert pick(comparison("choice", "b", "a"), undesired={"b": ["refusal"]})[0]["reasons"] == ["refusal"]
    assert pick(comparison("choice", "b", "a"), undesired={"a": ["refusal"]})[0]["reasons"] == []
    assert pick(comparison("edit", None, "a", correction="x"), undesired={"a": ["refusal"]})[0]["reasons"] == []


def test_of_a_pair_said_twice_the_heaviest_then_the_earliest_stays():
    early = NOON - dt.timedelta(hours=1)
    rows = pick(
        comparison("regeneration", "b", "a", weight=0.5, occurred_at=early),
        comparison("choice", "b", "a", feedback_id="late"),
        comparison("choice", "b", "a", feedback_id="early", occurred_at=early),
    )
    assert {r["feedback"][0]: r["reasons"] for r in rows} == {
        "fb:regeneration": ["REPEATED_PAIR"], "late": ["REPEATED_PAIR"], "early": [],
    }  # fmt: skip
    assert len({r["id"] for r in rows}) == 3


def test_two_different_corrections_of_one_reply_are_two_pairs_spacing_aside():
    rows = pick(
        comparison("edit", None, "a", correction="x y", feedback_id="1"),
        comparison("edit", None, "a", correction="x  y\n", feedback_id="2"),
        comparison("edit", None, "a", correction="z", feedback_id="3"),
    )
    assert sorted(len(r["reasons"]) for r in rows) == [0, 0, 1]


def test_preferences_both_ways_cancel_out():
    rows = pick(comparison("choice", "b", "a"), comparison("regeneration", "a", "b", weight=0.5))
    assert [r["reasons"] for r in rows] == [["CONTRADICTED_PAIR"]] * 2


def test_only_the_signals_asked_for():
    said = comparison("choice", "b", "a"), comparison("regeneration", "b", "a", weight=0.5)
    assert [r["signal"] for r in pick(*said, signals=("regeneration",))] == ["regeneration"]


def test_one_event_that_became_the_same_pair_twice_is_one_pair():
    """Both copies of the winner were ranked; after deduplication they are one row."""
    said = comparison("ranking", "b", "a", weight=0.8)
    assert [r["reasons"] for r in pick(said, said)] == [[]]


def test_ids_and_choices_do_not_depend_on_the_order_of_comparisons():
    said = [comparison("choice", "b", "a", feedback_id=str(i)) for i in range(5)]
    assert pick(*said) == pick(*reversed(said))


def test_row_4_side_by_side_votes_are_counted_where_the_recipe_says_so():
    votes = [comparison("choice", "b", "a", feedback_id=str(i)) for i in range(3)] + [comparison("choice", "a", "b")]
    assert {r["reasons"][0] for r in pick(*votes)} == {"CONTRADICTED_PAIR"}
    rows = pick(*votes, votes="majority")
    assert sorted((r["completion_of"], *r["reasons"]) for r in rows) == [
        ("a", "OUTVOTED"), ("b",), ("b", "REPEATED_PAIR"), ("b", "REPEATED_PAIR"),
    ]  # fmt: skip
    tie = pick(comparison("choice", "b", "a"), comparison("ranking", "a", "b"), votes="majority")
    assert [r["reasons"] for r in tie] == [["CONTRADICTED_PAIR"]] * 2


def test_row_55_what_is_inferred_counts_less_than_what_a_person_wrote():
    said = (
        comparison("regeneration", "b", "a", weight=WEIGHTS["regeneration"]),
        comparison("edit", None, "a", correction="x"),
    )
    weights = {r["signal"]: r["weight"] for r in pick(*said)}
    assert weights == {"regeneration": 0.5, "edit": 1.0}
