"""Advice: technique, base, need, and what a task looks like from its examples."""

import polars as pl
import pytest

from flywheel.errors import PlanInvalid
from flywheel.quantity.advisor import SOURCES, Task, advise, needed_rows, task_of


@pytest.mark.parametrize(
    ("rows", "suggestion", "technique"),
    [
        (300, "PEFT on a stronger base", "peft"),
        (999, "PEFT on a stronger base", "peft"),
        (20_000, "PEFT first; compare with full finetuning", "either"),
        (200_000, "full finetuning of a smaller model is plausible", "full"),
    ],
)
def test_row_48_technique_by_rows_with_reasons_and_sources(rows: int, suggestion: str, technique: str) -> None:
    advice = advise(rows)
    assert (advice.suggestion, advice.technique) == (suggestion, technique)
    assert len(advice.reasons) == 3
    assert all(source in SOURCES.values() for _, source in advice.reasons)
    assert any("arXiv" in source for _, source in advice.reasons)


SENTIMENT = Task(prompt_tokens=30, reply_tokens=1, distinct_replies=3 / 500)
REPORTS = Task(prompt_tokens=6_000, reply_tokens=200, distinct_replies=1.0)


def test_row_49_a_more_complex_task_needs_more_rows() -> None:
    assert SENTIMENT.complexity < REPORTS.complexity
    few, many = needed_rows(SENTIMENT.complexity), needed_rows(REPORTS.complexity)
    assert 100 <= few < 500 < 5_000 < many
    assert f"{many - 300:,} are missing" in advise(300, REPORTS.complexity).reasons[0][0]
    assert "they are there" in advise(300, SENTIMENT.complexity).reasons[0][0]


@pytest.mark.parametrize(
    ("rows", "base", "noted"),
    [(2_000_000, 125e6, True), (2_000_000, 70e9, False), (200_000, 125e6, False), (2_000_000, None, False)],
)
def test_row_50_ossification(rows: int, base: float | None, noted: bool) -> None:
    notes = advise(rows, base_parameters=base).notes
    assert any(said.startswith("compare from scratch") for said, _ in notes) is noted


def test_more_turns_and_tools_are_more_complex() -> None:
    assert REPORTS._replace(turns=5).complexity > REPORTS.complexity
    assert REPORTS._replace(tool_share=1.0).complexity > REPORTS.complexity
    assert Task(1e9, 1e9, 1.0, 99, 1.0).complexity == 1.0


def test_a_task_is_read_off_its_examples() -> None:
    rows = pl.DataFrame(
        {
            "prompt_tokens": [10, 20, 90],
            "reply_tokens": [1, 1, 1],
            "reply": ["a", "a", "b"],
            "turns": [1, 1, 4],
            "tools": [True, False, False],
        }
    )
    assert task_of(rows) == Task(20.0, 1.0, pytest.approx(2 / 3), 2.0, pytest.approx(1 / 3))
    with pytest.raises(PlanInvalid, match="has no rows"):
        task_of(rows.clear())


@pytest.mark.parametrize(
    ("said", "why"),
    [((0, 0.5, None), "rows is 0"), ((5, 1.5, None), "complexity is 1.5"), ((5, 0.5, -1.0), "has -1 parameters")],
)
def test_numbers_that_cannot_be(said: tuple[int, float, float | None], why: str) -> None:
    with pytest.raises(PlanInvalid, match=why):
        advise(*said)
