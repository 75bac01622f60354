"""Checks on candidates: each that blocks keeps this one set from being released, and no other."""

import json

import pytest

from flywheel.__main__ import run
from flywheel.home import Home
from flywheel.kinds import SetKind
from flywheel.quality import measures
from flywheel.quality.targets import TARGETS
from flywheel.storage.snapshots import Snapshot
from tests.homes import Ran, blocking, doctor, exported, out_of_bounds

pytestmark = pytest.mark.slow
SETS = ["answers", "answers_release", "verdicts", "verdicts_release"]


def of_answers(home: Home) -> dict[str, bytes | str]:
    return {name: what for name, what in exported(home).items() if name.startswith("answers/")}


def targets_of(kind: str) -> set[str]:
    return {t.name for t in TARGETS["set"] if not t.kinds or kind in t.kinds}


@pytest.mark.parametrize(("name", "kind"), [("answers", "sft"), ("verdicts", "kto")])
def test_a_sound_home_passes(finished: tuple[Home, Ran], name: str, kind: str) -> None:
    checks = {check: e for (asset, check), e in finished[1].checks.items() if asset == name}
    assert set(checks) == targets_of(kind)
    assert all(e.passed for e in checks.values())
    assert finished[1].released == {"answers_release", "verdicts_release"}


OF_PILOTS = "evaluation_is_kept_out"
"""It needs a pilot: see tests/stages/test_reserve.py."""


@pytest.mark.parametrize(
    "check", [c for _, c in blocking("set") if c in targets_of("sft") | targets_of("kto") and c != OF_PILOTS]
)
def test_a_failure_blocks_the_release_now_and_later(home: Home, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    target = next(t for t in TARGETS["set"] if t.name == check)
    judged = {name for name, kind in (("answers", "sft"), ("verdicts", "kto")) if check in targets_of(kind)}
    doctor(monkeypatch, "candidate", target.metric, out_of_bounds(target))
    before = exported(home)
    ran = Ran(home, only=SETS)
    assert not ran.success
    assert {asset for asset, name in ran.checks if name == check} == judged
    assert not any(ran.checks[asset, check].passed for asset in judged)
    assert ran.released == {f"{name}_release" for name in {"answers", "verdicts"} - judged}
    assert exported(home) == before
    # Dagster blocks only within one run: the release reads the verdicts on this very candidate again.
    for name in judged:
        later = Ran(home, only=[f"{name}_release"])
        assert not later.success
        assert "is not released" in later.failures[f"{name}_release"]
        assert target.next_step in later.failures[f"{name}_release"]
    assert exported(home) == before


def test_a_set_that_cannot_be_filled_is_not_released_and_the_others_are(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = home.recipe_file.read_text()
    home.recipe_file.write_text(
        recipe.replace('use = "sft"', 'use = "sft"\nexamples = 1000').replace("[[signal]]", "seed = 5\n[[signal]]", 1)
    )
    before = of_answers(home)
    code = run(["build", "--home", str(home.path), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 1
    assert answer["success"] is False
    found = next(c for c in answer["checks"] if c["asset"] == "answers" and c["name"] == "set_is_large_enough")
    assert found["passed"] is False
    assert found["blocking"] is True
    assert "of 1,000 rows short" in found["summary"]
    assert "none allowed. Lower `examples`" in found["summary"]
    sets = {s["name"]: s for s in answer["sets"]}
    assert sets["answers"]["released"] is False
    assert sets["verdicts"]["released"] is True
    assert of_answers(home) == before, "the release before it stays as it was"
    home.recipe_file.write_text(recipe)
    assert run(["build", "--home", str(home.path), "--json"]) == 0


def test_a_check_that_raises_fails_closed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = measures.candidate

    def broken(wanted: SetKind, *inputs: Snapshot) -> object:
        if wanted.name == "answers":
            raise ZeroDivisionError("by an empty table")
        return counted(wanted, *inputs)

    monkeypatch.setattr(measures, "candidate", broken)
    home.recipe_file.write_text(home.recipe_file.read_text().replace('name = "small"', 'name = "small"\nseed = 5'))
    before = of_answers(home)
    ran = Ran(home)
    assert not ran.success
    assert ran.released == {"verdicts_release"}
    assert of_answers(home) == before
    later = Ran(home, only=["answers_release"])
    assert not later.success
    assert "is not released" in later.failures["answers_release"]


def test_a_metric_that_was_not_measured_fails_closed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = measures.candidate
    monkeypatch.setattr(
        measures, "candidate", lambda *inputs: counted(*inputs).filter(measures.pl.col("metric") != "pii_residue")
    )
    ran = Ran(home, only=SETS)
    assert not ran.checks["answers", "no_pii_is_left"].passed
    assert "was not measured; a check that cannot be judged fails" in (
        ran.checks["answers", "no_pii_is_left"].description or ""
    )
    assert ran.released == set()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ('template = "templates/none.jinja"', "there is no chat template at templates/none.jinja"),
        ('template = "serving/broken.jinja"', "the template serving/broken.jinja does not parse"),
        ('template = "chatml"\ntokenizer = "models/none"', "there is no tokenizer at models/none"),
        ('template = "serving/bare.jinja"', "serving/bare.jinja: NOTHING_LEARNED, no token is learned"),
    ],
)
def test_row_157_a_template_that_cannot_be_used_blocks_its_set_and_the_others_go_on(
    home: Home, wrong: str, says: str
) -> None:
    (home.path / "serving" / "broken.jinja").write_text("{% for m in messages %}")
    (home.path / "serving" / "bare.jinja").write_text("{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")
    recipe = home.recipe_file.read_text()
    first, second = recipe.split('name = "verdicts"')
    home.recipe_file.write_text(first.replace('template = "chatml"', wrong) + 'name = "verdicts"' + second)
    ran = Ran(home, only=SETS)
    found = ran.checks["answers", "replies_alone_are_learned"]
    assert not found.passed
    assert says in str(found.description)
    assert ran.released == {"verdicts_release"}
