import datetime as dt

import polars as pl
import pytest

from flywheel.choices.follow import Counted
from flywheel.coverage.matrix import MATRIX, matrix
from flywheel.coverage.targets import measured, of_set
from flywheel.coverage.wanted import Coverage
from flywheel.quality.expectations import judge
from flywheel.quality.tally import MEASURES
from flywheel.signals.language import Language
from tests.build import chat


def column(**counts):
    return [value for value, n in counts.items() for _ in range(n)]


def covered(wanted, values, logs=None):
    """The matrix, and the findings of the checks on it."""
    wanted = Coverage.model_validate(wanted)
    made = matrix(wanted, pl.DataFrame(values), logs or {})
    table = pl.DataFrame(measured(made, wanted), schema=MEASURES, orient="row")
    return made, judge(of_set("answers", wanted), table)


def usage(**counts):
    return Counted(counts, sum(counts.values()), 0, dt.date(2026, 3, 1), dt.date(2026, 3, 7))


def test_row_27_a_share_that_is_missed_is_told_in_rows():
    made, (finding,) = covered({"language": {"ko": 0.30}}, {"language": column(ko=110, en=390)})
    assert made.schema == MATRIX
    ko = made.filter(value="ko").row(0, named=True)
    assert (ko["rows"], ko["n"], ko["share"], ko["gap"]) == (110, 500, 0.22, pytest.approx(-0.08))
    assert (ko["replacing"], ko["adding"], ko["within_noise"]) == (40, 58, False)
    assert 0.185 < ko["low"] < 0.22 < ko["high"] < 0.26
    assert not finding.passed
    assert finding.blocking
    assert finding.summary.startswith(
        "22% of 500 examples with language = ko (short 40 by replacing, 58 by adding: 22%); at least 30% wanted."
    )
    assert made.filter(value="en").row(0, named=True)["replacing"] == 0


def test_row_8_reasoning_is_an_axis_like_any():
    values = {"reasoning": column(apart=12, none=988)}
    _, (finding,) = covered({"reasoning": {"apart": 0.05}}, values)
    assert not finding.passed
    assert "short 38 by replacing, 40 by adding" in finding.summary


def test_row_33_a_cap_on_what_was_synthesized():
    made, (finding,) = covered(
        {"origin": {"synthesized": {"max": 0.5}}}, {"origin": column(synthesized=600, logged=400)}
    )
    assert not finding.passed
    assert finding.observed == pytest.approx(0.6)
    assert finding.summary.startswith("60% of 1,000 examples with origin = synthesized (beyond by 100 by replacing")
    assert made.filter(value="synthesized")["gap"].item() == pytest.approx(0.1)


def test_a_gap_within_noise_says_so_and_warns_nobody():
    values = {"language": column(ko=14, en=36)}
    made, (warned,) = covered({"severity": "warn", "language": {"ko": 0.30}}, values)
    assert made.filter(value="ko")["within_noise"].item()
    assert warned.passed
    assert "within noise" in warned.summary
    _, (gate,) = covered({"language": {"ko": 0.30}}, values)
    assert not gate.passed


def test_cells_cross_axes():
    values = {"language": column(ko=50, en=50), "task_type": column(code=10, question=90)}
    made, (finding,) = covered({"cells": {"language=ko, task_type=code": 0.2}}, values)
    assert made.row(0)[:5] == ("language, task_type", "ko, code", "target", 10, 100)
    assert "short 10 by replacing, 13 by adding" in finding.summary


def test_row_29_a_set_that_is_not_as_people_ask():
    wanted = {"usage": {"axes": ["detail"]}}
    made, (finding,) = covered(wanted, {"detail": column(short=500)}, {"detail": usage(short=800.0, detailed=200.0)})
    assert finding.name == "detail_follows_usage"
    assert not finding.passed
    assert "detailed, 0.0% of the set and 20.0% of the usage, short 100 by replacing, 125 by adding" in finding.summary
    assert made.filter(value="detailed").row(0, named=True)["usage"] == 0.2


def test_row_31_a_language_people_use_and_the_set_lacks():
    logs = {"code_language": usage(python=70.0, sql=30.0)}
    made, (finding,) = covered({"usage": {"axes": ["code_language"]}}, {"code_language": column(python=100)}, logs)
    assert not finding.passed
    assert made.filter(value="sql")["replacing"].item() == 30


def test_usage_of_which_nothing_is_known_fails():
    _, (finding,) = covered(
        {"usage": {"axes": ["typos"]}}, {"typos": pl.Series([None], dtype=pl.String)}, {"typos": usage()}
    )
    assert not finding.passed


def test_an_empty_set_is_short_of_everything_and_divides_by_nothing():
    _, (finding,) = covered({"language": {"ko": 0.3}}, {"language": pl.Series([], dtype=pl.String)})
    assert not finding.passed
    assert finding.observed == 0.0


def test_a_target_that_is_met_passes_and_one_declared_off_is_not_judged():
    _, findings = covered(
        {"language": {"ko": {"min": 0.1, "max": 0.5}, "en": {"min": 0.9, "severity": "off"}}},
        {"language": column(ko=30, en=70)},
    )
    assert [(f.passed, f.severity) for f in findings] == [(True, "error"), (True, "off")]


def test_row_128_the_languages_of_a_set_are_those_of_its_texts():
    korean = [f"user: 주문 번호 {n}번의 배송 상태를 알려 주세요" for n in range(60)]
    english = [f"user: Please tell me where the parcel number {n} is" for n in range(140)]
    frames = [chat(said, "assistant: ok", id=f"s:{n:03d}") for n, said in enumerate(korean + english)]
    values = Language().measure(pl.concat(frames).lazy()).collect()
    made = matrix(Coverage(show=("language",)), values, {})
    shares = dict(made.select("value", "share").iter_rows())
    assert shares["ko"] == pytest.approx(0.30, abs=0.02)
    assert shares["en"] == pytest.approx(0.70, abs=0.02)
