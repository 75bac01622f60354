"""Targets are data; these tests keep the data whole."""

import string
from dataclasses import replace

import pytest

from flywheel.kinds import Threshold
from flywheel.quality.targets import ASSETS, TARGETS, Target, adjusted, names, wanted

ALL = [pytest.param(t, id=f"{asset}-{t.name}") for asset, ts in TARGETS.items() for t in ts]


@pytest.mark.parametrize("target", ALL)
def test_a_target_is_whole(target):
    assert target.max is not None or target.min is not None
    assert {field for _, field, _, _ in string.Formatter().parse(target.says) if field} == {"value", "n"}
    assert target.next_step.strip() == target.next_step != ""
    assert target.name.islower()
    assert target.bound


def test_names_are_unique_within_an_asset():
    for asset in ASSETS:
        assert len(names(asset)) == len(set(names(asset))) > 0


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("count", 1204, "1,204"),
        ("count", 0, "0"),
        ("count", 2.5, "2.5"),
        ("count", 1234567.4, "1,234,567"),
        ("share", 0.95236, "95.2%"),
        ("share", 0.99999, "100%"),
        ("share", 0.0185643, "1.86%"),
        ("hours", 30.25, "30.2 hours"),
        ("share", 0.05, "5%"),
        ("share", 0.0004, "0.04%"),
        ("share", 0.0000004, "4e-05%"),
        ("share", 1, "100%"),
        ("distance", 0.0314159, "0.0314"),
        ("distance", 0.0, "0"),
        ("hours", 48, "48 hours"),
        ("hours", float("inf"), "inf"),
    ],
)
def test_numbers_are_written_for_people(unit, value, text):
    assert Target("t", "m", unit, "", "").written(value) == text


@pytest.mark.parametrize(
    ("bound", "max_", "min_", "severity"),
    [
        (None, 0.05, None, "error"),
        (Threshold(max=0.2), 0.2, None, "error"),
        (Threshold(max=0), 0, None, "error"),
        (Threshold(min=0.1), 0.05, 0.1, "error"),
        (Threshold(severity="warn"), 0.05, None, "warn"),
        (Threshold(severity="off"), 0.05, None, "off"),
    ],
)
def test_the_recipe_moves_bound_and_severity(bound, max_, min_, severity):
    target = adjusted(Target("t", "m", "share", "", "", max=0.05), bound)
    assert (target.max, target.min, target.severity) == (max_, min_, severity)
    assert target.blocking is (severity == "error")


@pytest.mark.parametrize(
    ("kind", "has", "has_not"),
    [
        ("sft", set(), {"every_pair_has_contrast", "labels_are_balanced", "scores_are_on_scale"}),
        ("preference", {"every_pair_has_contrast"}, {"labels_are_balanced"}),
        ("kto", {"labels_are_balanced"}, {"every_pair_has_contrast"}),
        ("reward", {"scores_are_on_scale"}, {"labels_are_balanced"}),
    ],
)
def test_checks_of_a_kind(kind, has, has_not):
    found = {t.name for t in wanted("set", {}, kind)}
    assert has <= found
    assert not has_not & found
    assert "no_split_leaks" in found


def test_a_check_that_is_off_is_still_listed():
    found = {t.name: t.severity for t in wanted("curated", {"logs_repeat_little": Threshold(severity="off")})}
    assert found["logs_repeat_little"] == "off"


def test_warnings_about_shares_have_a_band_and_gates_have_none():
    every = [t for group in TARGETS.values() for t in group]
    for target in every:
        assert (target.confidence is not None) == (target.banded and target.severity == "warn"), target.name
        assert not target.proportion or target.unit == "share"
    warned = next(t for t in every if t.name == "most_lines_are_readable")
    assert adjusted(warned, Threshold(severity="error")).confidence is None
    assert adjusted(warned, Threshold(severity="error", confidence=0.99)).confidence == 0.99
    assert adjusted(warned, Threshold(confidence=0)).interval(0.021, 500) == (0.021, 0.021)


def test_the_interval_is_wilsons():
    target = replace(next(t for t in TARGETS["raw_files"] if t.proportion), confidence=0.95)
    assert target.interval(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert target.interval(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert target.interval(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert target.interval(0.3, 0) == (0.3, 0.3)
