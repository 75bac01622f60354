import dagster as dg
import polars as pl
import pytest

from checks.curate import checks
from flywheel.errors import RecipeInvalid
from flywheel.home import Home
from flywheel.quality.expectations import judge
from flywheel.quality.traits import measured
from flywheel.recipe import parse_recipe
from tests.build import chat, rows
from tests.pools import labels_of, pool_of, screened_of, snapshot

TIMELY = """name = "r"
[[trait]]
name = "timely"
where = { column = "day", operator = "at_least", value = 2026-03-02 }
min_share = 0.9
"""


def store(folder, late: int):
    """Twenty rows of the pool, some of them late."""
    import datetime as dt

    chats = [
        chat(
            "user: hi",
            "assistant: yes",
            id=f"s:{n:02}",
            occurred_at=dt.datetime(2026, 3, 1 if n < late else 3, tzinfo=dt.UTC),
        )
        for n in range(20)
    ]
    made = Home.create(folder / "home", TIMELY).store
    screened = screened_of(*chats)
    snapshot(made, "screened", {"rows": screened})
    snapshot(made, "curated", {"rows": pool_of(screened)})
    snapshot(made, "measurements", {"rows": rows(*chats).select("id", "day")})
    snapshot(made, "labels", {"rows": labels_of()})
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("late", "share", "passed"), [(0, 1.0, True), (3, 0.85, True), (12, 0.4, False)])
def test_row_23_a_trait_is_judged(tmp_path, late, share, passed):
    [trait] = parse_recipe(TIMELY).trait
    told = measured([trait], store(tmp_path, late), "curated")
    assert told.row(0) == ("trait_timely", "", share, 20)
    [finding] = judge([trait.target], told)
    assert (finding.passed, finding.severity) == (passed, "warn")
    assert "timely" in finding.summary


def test_a_trait_is_in_dagsters_list_of_checks():
    keys = {key.name: key.asset_key for d in checks(parse_recipe(TIMELY)) for key in d.check_keys}
    assert keys["timely"] == dg.AssetKey("curated")


def test_a_trait_that_was_not_measured_fails():
    [trait] = parse_recipe(TIMELY).trait
    [finding] = judge(
        [trait.target], pl.DataFrame([("rows", "", 1.0, 1)], schema=["metric", "segment", "value", "n"], orient="row")
    )
    assert not finding.passed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("min_share = 0.9", ""), "expected min_share or max_share"),
        (('"timely"', '"duplicates_are_few"'), "that of another check of curated"),
        (
            (
                'column = "day", operator = "at_least", value = 2026-03-02',
                'column = "near_group", operator = "is", value = "x"',
            ),
            "signal of single rows",
        ),
        (("2026-03-02", '"soon"'), "expected a day such as"),
        (('"timely"', '"Not so"'), "lower-case letters"),
    ],
)
def test_traits_that_cannot_be(change, says):
    with pytest.raises(RecipeInvalid, match=says):
        parse_recipe(TIMELY.replace(*change))
