"""Behaviour to be unlearned."""

import polars as pl
import pytest
from pydantic import ValidationError

from flywheel.filters.behaviour import BEHAVIOURS, Behaviour, observed, together
from flywheel.recipe import parse_recipe
from flywheel.stages.curate import judge
from tests.build import chat, rows

FACTS = {"column": "input", "operator": "matches", "value": "fact.?check|is it true"}
PLAIN = "assistant: No. The tower was finished in 1889."
REWRITE = "assistant: Mostly true. Here is a revised version of the paragraph: The tower …"


def pool(plain, rewritten, other):
    """Fact-checks with plain and with rewriting replies, and requests of another kind."""
    made = [chat(f"user: fact-check this: {i}", PLAIN, id=f"p{i:02}") for i in range(plain)]
    made += [chat(f"user: is it true that {i}?", REWRITE, id=f"r{i:02}") for i in range(rewritten)]
    return rows(*made, *[chat(f"user: rewrite this: {i}", REWRITE, id=f"o{i:02}") for i in range(other)])


@pytest.mark.parametrize(
    "rule",
    [
        {"detector": "unasked_rewrite"},
        {"where": {"column": "reply", "operator": "contains", "value": "revised version"}},
    ],
)
def test_row_15_five_of_forty_fact_checks_are_removed_and_a_task_is_raised(rule):
    wanted = Behaviour(name="unasked_rewrite", among=FACTS, subject="fact-checks", version=2, **rule)
    judged = judge(pool(35, 5, 10).lazy(), [wanted]).collect()
    gone = judged.filter(pl.col("reasons").list.contains("unasked_rewrite"))
    assert sorted(gone["id"]) == [f"r{i:02}" for i in range(5)]
    (seen,) = observed(judged, [wanted]).to_dicts()
    assert seen == {
        "name": "unasked_rewrite",
        "revision": 2,
        "among": 40,
        "matched": 5,
        "seeds": ["p00", "p01", "p02", "p03", "p04"],
    }
    assert wanted.task(5) == "5+ plain fact-checks"
    assert Behaviour(name="b", examples=20, **rule).task(5) == "20+ replies without b"


@pytest.mark.parametrize(
    ("asked", "reply", "found"),
    [
        ("user: Is this right?", REWRITE, True),
        ("user: Is this right?", "assistant: I've rewritten it: …", True),
        ("user: 이게 맞나요?", "assistant: 수정한 문장입니다: …", True),
        ("user: Please rewrite this.", REWRITE, False),
        ("user: 이 문장을 고쳐 주세요", "assistant: 수정한 문장입니다: …", False),
        ("user: Is this right?", "assistant: Yes, the revised law of 1990 says so.", False),
        ("user: Is this right?", "assistant: The edited volume appeared later.", False),
    ],
)
def test_row_15_a_rewrite_counts_only_where_nobody_asked(asked, reply, found):
    assert chat(asked, reply).select(Behaviour(name="b", detector="unasked_rewrite").reject()).item() is found


@pytest.mark.parametrize(
    ("asked", "reply", "found"),
    [
        ("user: When do you open?", "assistant: I'm sorry! We open at nine.", True),
        ("user: My order is late.", "assistant: I'm sorry! It comes tomorrow.", False),
        ("user: When do you open?", "assistant: We open at nine.", False),
    ],
)
def test_an_apology_counts_only_where_nothing_went_wrong(asked, reply, found):
    assert chat(asked, reply).select(Behaviour(name="b", detector="unasked_apology").reject()).item() is found


def test_groups_of_rows_are_counted_together():
    one = pl.DataFrame([("b", 1, 3, 1, ["x"])], schema=BEHAVIOURS, orient="row")
    two = pl.DataFrame([("b", 1, 2, 0, ["a"])], schema=BEHAVIOURS, orient="row")
    assert together(pl.concat([one, two])).rows() == [("b", 1, 5, 1, ["a", "x"])]


@pytest.mark.parametrize("rule", [{}, {"detector": "unasked_rewrite", "where": FACTS}])
def test_one_rule_finds_it(rule):
    with pytest.raises(ValidationError, match="expected either detector or where"):
        Behaviour(name="b", **rule)


def test_row_15_a_recipe_names_it_with_a_version():
    told = '[[behaviour]]\nname = "unasked_rewrite"\nversion = 3\ndetector = "unasked_rewrite"\n'
    recipe = parse_recipe(f'name = "a"\n{told}')
    (rule,) = recipe.filters
    assert (rule.reason, rule.step().parameters["version"], rule.step().version) == (
        "unasked_rewrite", 3, 1,
    )  # fmt: skip
    assert parse_recipe(f'name = "a"\n{told}').digest == recipe.digest
