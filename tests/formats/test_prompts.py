"""Few-shot prompts taken apart, and served prompts held against the trained form."""

import polars as pl
import pytest

from flywheel.formats.prompts import (
    PromptForm,
    PromptInvalid,
    few_shot,
    lint_prompt,
    released_prompts,
    trained_form,
)

FOOD = """Label the following item as either edible or inedible.

Item: burger
"""
TABLE_8_4 = "Label the following item as either edible or inedible.\n\nburger --> edible\ncar --> inedible\nmushroom --> edible\n{INPUT} -->"
TRAINED = ["burger -->", "car -->", "mushroom -->"]


def test_row_159_table_8_4_becomes_three_rows_in_the_short_form():
    taken = few_shot(TABLE_8_4)
    assert taken.rows == [("burger -->", "edible"), ("car -->", "inedible"), ("mushroom -->", "edible")]
    assert (taken.instruction, taken.slot) == ("Label the following item as either edible or inedible.", "{INPUT}")


def test_row_159_what_every_line_begins_with_is_taken_off():
    taken = few_shot("Label it.\nItem: burger => edible\nItem: car => inedible\nItem: shoe =>")
    assert taken.rows == [("burger =>", "edible"), ("car =>", "inedible")]
    assert (taken.prefix, taken.slot) == ("Item: ", "shoe")
    assert few_shot("A: x -> 1\nB: y -> 2\nC: z ->").rows == [("A: x ->", "1"), ("B: y ->", "2")]


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (FOOD, "shows no examples"),
        ("burger -->", "shows no examples"),
        ("", "shows no examples"),
        ("a --> 1\nb --> 2", "nothing is asked"),
        ("a -->\nb --> 2\nc -->", "has no output"),
        ("a --> 1\nb => 2\nc -->", "several ways"),
    ],
)
def test_row_159_what_is_no_few_shot_prompt_is_said(prompt, says):
    with pytest.raises(PromptInvalid, match=says):
        few_shot(prompt)


@pytest.mark.parametrize(
    ("prompt", "code", "at", "expected"),
    [
        ("burger -->", "OK", None, ""),
        ("pizza -->", "OK", None, ""),
        ("burger", "MISSING_SUFFIX", 6, " -->"),
        ("burger --", "MISSING_SUFFIX", 9, ">"),
        ("Item: burger -->", "EXTRA_PREFIX", 0, ""),
        ("burger --> ", "TRAILING_SPACE", 10, ""),
        ("burger -->\n", "TRAILING_SPACE", 10, ""),
        ("burger --> edible?", "EXTRA_SUFFIX", 10, ""),
    ],
)
def test_row_161_served_prompts_are_held_against_the_trained_form(prompt, code, at, expected):
    found = lint_prompt(prompt, trained_form(TRAINED))
    assert (found.code, found.at, found.expected) == (code, at, expected)


@pytest.mark.parametrize(
    ("prompts", "form"),
    [
        (TRAINED, PromptForm("", " -->")),
        (["bar -->", "car -->"], PromptForm("", " -->")),
        (["Item: bar -->", "Item: car -->"], PromptForm("Item: ", " -->")),
        (["where is 7?", "cancel it"], PromptForm("", "")),
    ],
)
def test_the_form_is_told_from_the_prompts(prompts, form):
    assert trained_form(prompts) == form


def test_a_prefix_that_is_missing_is_said():
    found = lint_prompt("burger -->", PromptForm("Item: ", " -->"))
    assert (found.code, found.at, found.expected) == ("MISSING_PREFIX", 0, "Item: ")
    assert lint_prompt("any words at all", PromptForm()).code == "OK"


def test_one_prompt_tells_no_form():
    with pytest.raises(PromptInvalid, match="at least two"):
        trained_form(["burger -->", "burger -->"])


def test_prompts_of_a_release(tmp_path):
    prompts = [
        [{"role": "system", "content": "s"}, {"role": "user", "content": p}] for p in ("b -->", "a -->", "c -->")
    ]
    pl.DataFrame({"prompt": prompts, "split": ["train", "train", "validation"]}).write_parquet(
        tmp_path / "rows.parquet"
    )
    assert released_prompts(tmp_path) == ["a -->", "b -->"]
    with pytest.raises(PromptInvalid, match="holds no release"):
        released_prompts(tmp_path / "none")
