"""How findings become checks: number, threshold and next step without a click; what is declared off is no success."""

import dataclasses

import dagster as dg
import pytest

from checks.shape import result, spec
from flywheel.home import Home
from flywheel.quality.expectations import Finding
from flywheel.quality.targets import TARGETS, Target
from tests.homes import Ran

TARGET = next(t for t in TARGETS["set"] if t.name == "set_is_large_enough")


def finding(target: Target, passed: bool, observed: float | None = 3.0) -> Finding:
    return Finding(
        name=target.name,
        passed=passed,
        severity=target.severity,
        blocking=target.blocking,
        metric=target.metric,
        observed=observed,
        bound=target.bound,
        summary="3 of 9 rows short; none allowed.",
        n=9,
        worst=({"segment": "", "value": 3.0, "n": 9}, {"segment": "language=<b>ko</b>", "value": 1.0, "n": 4}),
    )


def test_a_failure_shows_number_threshold_and_next_step() -> None:
    shown = result("answers", TARGET, finding(TARGET, passed=False))
    assert not shown.passed
    assert shown.severity == dg.AssetCheckSeverity.ERROR
    assert shown.description == "3 of 9 rows short; none allowed."
    assert shown.metadata["observed"] == dg.MetadataValue.float(3.0)
    assert shown.metadata["bound"] == dg.MetadataValue.text("at most 0")
    assert shown.metadata["next_step"] == dg.MetadataValue.text(TARGET.next_step)
    assert not any(isinstance(v, dg.MarkdownMetadataValue) for v in shown.metadata.values())


def test_the_worst_segments_are_a_table() -> None:
    table = result("answers", TARGET, finding(TARGET, passed=False)).metadata["worst"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [r.data for r in table.records] == [
        {"segment": "all", "value": 3.0, "of": 9},
        {"segment": "language=<b>ko</b>", "value": 1.0, "of": 4},
    ]


def test_a_success_names_no_next_step() -> None:
    assert "next_step" not in result("answers", TARGET, finding(TARGET, passed=True)).metadata


def test_nothing_observed_is_no_zero() -> None:
    assert "observed" not in result("answers", TARGET, finding(TARGET, passed=False, observed=None)).metadata


@pytest.mark.parametrize(
    ("severity", "blocks", "says"),
    [
        ("error", True, "A failure blocks what is downstream."),
        ("warn", False, "A failure is a warning."),
        ("off", False, "Declared off in the recipe: measured, not judged."),
    ],
)
def test_before_it_ran_a_check_says_what_it_wants(severity: str, blocks: bool, says: str) -> None:
    told = spec("answers", dataclasses.replace(TARGET, severity=severity))  # type: ignore[arg-type]
    assert told.blocking is blocks
    assert says in (told.description or "")
    assert "missing_rows is at most 0." in (told.description or "")
    assert f"If it fails: {TARGET.next_step}" in (told.description or "")


@pytest.mark.slow
def test_what_the_recipe_declares_off_is_shown_as_not_judged_and_blocks_nothing(home: Home) -> None:
    recipe = home.recipe_file.read_text()
    home.recipe_file.write_text(
        recipe.replace(
            'export = ["openai"]',
            'export = ["openai"]\nexamples = 1000\ncheck.set_is_large_enough.severity = "off"',
        )
    )
    ran = Ran(home)
    found = ran.checks["answers", "set_is_large_enough"]
    assert (found.description or "").startswith("Declared off in the recipe; not judged: ")
    assert found.metadata["judged"].value == "no: declared off in the recipe, so this is no success"
    assert found.metadata["severity"].value == "off"
    assert not found.blocking
    assert ran.released == {"answers_release", "verdicts_release"}
