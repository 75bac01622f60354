"""New calls of tuned models, held against the form they were trained on."""

import datetime as dt

import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.quality.expectations import judge
from flywheel.quality.served_prompts import PROMPTED, Tuned, served_prompts
from flywheel.quality.tally import MEASURES
from flywheel.recipe import parse_recipe
from flywheel.records import CONVERSATIONS, conform
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import snapshot

FOOD = Tuned(model="food-ft", set="food")
MONDAY, TUESDAY = dt.date(2026, 3, 2), dt.date(2026, 3, 3)


def trained(tmp_path, *prompts, system=None):
    """A released set with these prompts."""
    folder = tmp_path / "exports" / "food" / "current"
    folder.mkdir(parents=True, exist_ok=True)
    first = [{"role": "system", "content": system}] if system else []
    rows = [[*first, {"role": "user", "content": p}] for p in prompts]
    pl.DataFrame({"prompt": rows, "split": ["train"] * len(rows)}).write_parquet(folder / "rows.parquet")
    return tmp_path / "exports"


def logs(tmp_path, *asked, model="food-ft", day=TUESDAY, system=None):
    """A snapshot of conversations in which these were asked."""
    first = [f"system: {system}"] if system else []
    rows = [
        chat(*first, {"role": "user", "content": a}, "assistant: edible", id=f"{day}:{n}", model=model).with_columns(
            day=pl.lit(day)
        )
        for n, a in enumerate(asked)
    ]
    return conform(pl.concat(rows), CONVERSATIONS)


def found(tmp_path, exports, *frames, tuned=(FOOD,)):
    day = snapshot(Store(tmp_path / "snapshots"), "conversations", {"rows": pl.concat(frames)})
    measures = pl.DataFrame(served_prompts(day, tuned, exports), schema=MEASURES)
    return judge([PROMPTED], measures)[0]


TRAINED = ("burger -->", "car -->", "mushroom -->")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("pizza", "MISSING_SUFFIX, 2026-03-03:0, character 5, expected ' --&gt;'"),
        ("Item: pizza -->", "EXTRA_PREFIX, 2026-03-03:0, character 0"),
        ("pizza --> ", "TRAILING_SPACE, 2026-03-03:0, character 9"),
        ("pizza -->", None),
    ],
)
def test_row_161_new_calls_of_a_tuned_model_are_held_against_the_trained_form(tmp_path, asked, code):
    finding = found(tmp_path, trained(tmp_path, *TRAINED), logs(tmp_path, asked, "fish -->"))
    assert (finding.passed, finding.blocking, finding.n) == (code is None, False, 2)
    if code:
        assert finding.observed == 1
        assert f"food-ft: {code}".replace("&gt;", ">") in finding.worst[1]["segment"]
        assert "flywheel lint-prompt" in finding.summary


def test_row_161_only_the_newest_days_of_that_model_count(tmp_path):
    exports = trained(tmp_path, *TRAINED)
    frames = (logs(tmp_path, "pizza", day=MONDAY), logs(tmp_path, "fish -->"), logs(tmp_path, "any", model="other"))
    assert found(tmp_path, exports, *frames).passed
    assert found(tmp_path, exports, *frames, tuned=(FOOD.model_copy(update={"days": 2}),)).observed == 1


@pytest.mark.parametrize(
    ("taught", "served", "code"),
    [
        (None, "Label it.", "EXTRA_INSTRUCTIONS"),
        ("Label it.", None, "MISSING_INSTRUCTIONS"),
        ("Label it.", "Label it!", "OTHER_INSTRUCTIONS"),
        ("Label it.", "Label it.", None),
    ],
)
def test_row_161_instructions_are_part_of_the_form(tmp_path, taught, served, code):
    finding = found(tmp_path, trained(tmp_path, *TRAINED, system=taught), logs(tmp_path, "fish -->", system=served))
    assert finding.passed == (code is None)
    assert code is None or code in finding.worst[1]["segment"]


def test_a_set_without_a_release_has_no_form_yet(tmp_path):
    finding = found(tmp_path, tmp_path / "exports", logs(tmp_path, "pizza"))
    assert (finding.passed, finding.n) == (True, 0)


def test_a_recipe_without_tuned_models_declares_the_check_off_and_one_with_a_wrong_set_is_refused():
    text = 'name = "r"\n[[set]]\nname = "food"\nuse = "sft"\nexport = ["trl"]\n'
    assert parse_recipe(text).check["conversations"][PROMPTED.name].severity == "off"
    told = parse_recipe(text + '[[tuned]]\nmodel = "food-ft"\nset = "food"\n')
    assert PROMPTED.name not in told.check.get("conversations", {})
    with pytest.raises(RecipeInvalid, match=r'tuned.0.food-ft: there is no set "foods". Did you mean "food"'):
        parse_recipe(text + '[[tuned]]\nmodel = "food-ft"\nset = "foods"\n')
