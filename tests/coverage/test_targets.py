import datetime as dt

import polars as pl
import pytest

from flywheel.choices.follow import Counted
from flywheel.coverage.targets import drifted, name_of, of_drift, of_set
from flywheel.coverage.wanted import Coverage, Drift
from flywheel.quality.expectations import judge
from flywheel.quality.tally import MEASURES
from flywheel.quality.targets import set_targets
from flywheel.recipe import parse_recipe


def test_a_check_is_named_by_axis_and_value_and_no_two_alike():
    assert name_of("language", "ko") == "covers_language_ko"
    odd = [name_of("app", v) for v in ("환불", "반품", "Ab", "ab", "a-b", "a_b", "x" * 200)]
    assert len(set(odd)) == len(odd)
    assert all(n.replace("_", "").isalnum() and n.isascii() and len(n) < 90 for n in odd)


def test_a_warning_has_a_band_and_a_gate_has_none():
    wanted = Coverage.model_validate({"app": {"a": {"min": 0.1, "severity": "warn"}, "b": {"max": 0.2}}})
    warned, gate = of_set("s", wanted)
    assert (warned.confidence, gate.confidence) == (0.95, None)
    assert (gate.min, gate.max, gate.blocking) == (None, 0.2, True)


def test_the_bounds_of_the_recipe_reach_the_checks_of_coverage():
    recipe = parse_recipe(
        'name = "r"\n[[set]]\nname = "a"\nuse = "sft"\nexport = ["trl"]\n[set.coverage.language]\nko = 0.3\n'
        '[set.check.covers_language_ko]\nseverity = "warn"\n'
    )
    assert {t.name: t for t in set_targets(recipe.set[0])}["covers_language_ko"].severity == "warn"


def window(**counts):
    return Counted(counts, sum(counts.values()), 0, dt.date(2026, 3, 1), dt.date(2026, 3, 7))


@pytest.mark.parametrize(
    ("new", "passed"), [({"known": 880.0, "wifi": 120.0}, False), ({"known": 960.0, "wifi": 40.0}, True)]
)
def test_row_42_a_topic_with_12_percent_of_traffic_and_none_of_the_set(new, passed):
    wanted = Coverage(drift=Drift(axes=("topic_cluster",)))
    values = pl.DataFrame({"topic_cluster": ["known"] * 500})
    rows = drifted("answers", wanted.drift, values, {"topic_cluster": window(**new)})
    (finding,) = judge(of_drift("answers", wanted), pl.DataFrame(rows, schema=MEASURES, orient="row"))
    assert finding.passed is passed
    assert not finding.blocking
    if not passed:
        assert "wifi, 12.0% of the logs and 0.0% of the set, short 60 by replacing, 69 by adding" in finding.summary


def test_nothing_drifts_from_a_set_that_is_not_released():
    rows = drifted("answers", Drift(axes=("app",)), None, {"app": window(a=1.0)})
    assert rows == [("drift_answers_app", "nothing is released yet", 0.0, 1.0)]
