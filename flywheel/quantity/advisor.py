"""How to finetune with so many rows of so complex a task: advice with its reasons and where each comes from.

The thresholds are rules of thumb read off what others report; a learning curve on one's own data outranks them.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from flywheel.errors import PlanInvalid

FEW, MANY, MILLIONS = 1_000, 100_000, 1_000_000
SMALL_BASE = 1_000_000_000
"""Parameters below which a base is small for millions of rows."""
NEED_LEAST, NEED_SPAN = 100, 2.5
"""Rows the simplest task needs, and the powers of ten from there to the most complex one: 100 to some 32,000."""

SOURCES = {
    "openai": "OpenAI, Fine-tuning best practices: 50 to 100 well-made examples often show an effect",
    "zhang": "Zhang et al. 2024, When Scaling Meets LLM Finetuning, arXiv 2402.17193: a larger base helps more than more pretraining data; "
    "which method wins depends on the task and on how much finetuning data there is",
    "biderman": "Biderman et al. 2024, LoRA Learns Less and Forgets Less, arXiv 2405.09673",
    "huyen": "Huyen 2025, AI Engineering, ch. 8: with 100 rows stronger bases are well ahead, with 550,000 hardly; "
    "full finetuning wants thousands of rows and more, PEFT some hundred",
    "hernandez": "Hernandez et al. 2021, Scaling Laws for Transfer, arXiv 2102.01293: what a small model learned before can ossify it, so that "
    "with very much data training from scratch may win",
    "own": "a rule of thumb of flywheel's own, from lengths and variety; measure a learning curve",
}


class Task(NamedTuple):
    """What is known of a task from its examples."""

    prompt_tokens: float
    """Median tokens of a prompt."""
    reply_tokens: float
    """Median tokens of a reply."""
    distinct_replies: float = 1.0
    """Share of the replies that no other equals: near 0 for a classification, 1 for free text."""
    turns: float = 1.0
    """Mean messages of the user."""
    tool_share: float = 0.0
    """Share of the examples in which tools are offered."""

    @property
    def complexity(self) -> float:
        """From 0 (one word out of few for a short text) to 1: longer and more varied replies, more to read, more turns and tools."""
        reply = min(1.0, math.log2(1 + max(self.reply_tokens, 0.0)) / 10)
        prompt = min(1.0, math.log2(1 + max(self.prompt_tokens, 0.0)) / 13)
        acting = min(1.0, max((self.turns - 1) / 4, self.tool_share))
        return round(0.35 * reply + 0.25 * prompt + 0.25 * min(max(self.distinct_replies, 0.0), 1.0) + 0.15 * acting, 4)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with so many rows, and why."""

    suggestion: str
    technique: str
    """peft | full | either"""
    rows: int
    complexity: float
    need: int
    """Rows such a task is likely to need."""
    reasons: tuple[tuple[str, str], ...]
    """Sentence and source."""
    notes: tuple[tuple[str, str], ...] = ()


def needed_rows(complexity: float) -> int:
    """Rows a task of this complexity is likely to need: a hundred for the simplest, some tens of thousands for the most complex."""
    if not 0.0 <= complexity <= 1.0:
        raise PlanInvalid(f"complexity is {complexity:g}; expected a number from 0 (sentiment of a sentence) to 1.")
    return round(NEED_LEAST * 10 ** (NEED_SPAN * complexity))


def advise(rows: int, complexity: float = 0.5, base_parameters: float | None = None) -> Advice:
    """Full finetuning or PEFT, and of which base, for so many rows of a task of this complexity.

    Raises `PlanInvalid` for numbers that cannot be.
    """
    if rows < 1:
        raise PlanInvalid(f"rows is {rows}; expected at least 1. Without rows there is nothing to finetune on.")
    if base_parameters is not None and not base_parameters > 0:
        raise PlanInvalid(f"the base has {base_parameters:g} parameters; expected more than 0, such as 7e9.")
    need = needed_rows(complexity)
    reasons = [_need(rows, need)]
    if rows < FEW:
        technique, suggestion = "peft", "PEFT on a stronger base"
        reasons += [
            (f"{rows:,} rows are few: a stronger base brings what they cannot teach.", SOURCES["huyen"]),
            (
                "With so few rows an adapter learns about what full finetuning would, and forgets less.",
                SOURCES["zhang"],
            ),
        ]
    elif rows >= MANY:
        technique, suggestion = "full", "full finetuning of a smaller model is plausible"
        reasons += [
            (
                f"With {rows:,} rows weak and strong bases come close to each other, and a small one is cheaper to serve.",
                SOURCES["huyen"],
            ),
            ("Adapters learn less from much data than full finetuning does.", SOURCES["biderman"]),
        ]
    else:
        technique, suggestion = "either", "PEFT first; compare with full finetuning"
        reasons += [
            (f"{rows:,} rows are enough for an adapter, and may be for full finetuning.", SOURCES["huyen"]),
            ("Which one wins at this size depends on the task: try both.", SOURCES["zhang"]),
        ]
    return Advice(suggestion, technique, rows, complexity, need, tuple(reasons), tuple(_notes(rows, base_parameters)))


def _need(rows: int, need: int) -> tuple[str, str]:
    if rows < need:
        return f"A task of this complexity is likely to need some {need:,} rows: {need - rows:,} are missing.", SOURCES[
            "own"
        ]
    return f"A task of this complexity is likely to need some {need:,} rows; they are there.", SOURCES["own"]


def _notes(rows: int, base_parameters: float | None) -> list[tuple[str, str]]:
    notes = []
    if rows < 50:
        notes.append((f"{rows:,} rows are very few: bring at least 50.", SOURCES["openai"]))
    if rows >= MILLIONS and base_parameters is not None and base_parameters < SMALL_BASE:
        said = f"compare from scratch: with {rows:,} rows a base of {base_parameters:,.0f} parameters may be held back by what it learned before."
        notes.append((said, SOURCES["hernandez"]))
    return notes


def task_of(rows: pl.DataFrame) -> Task:
    """What a set says of its task. `rows`: `prompt_tokens`, `reply_tokens`, `reply` (a digest), `turns`, `tools` (whether there are any)."""
    if rows.is_empty():
        raise PlanInvalid(
            "the set has no rows, so nothing can be said of its task. Give --rows and --complexity instead."
        )

    def number(value: pl.Expr) -> float:
        return float(rows.select(value.cast(pl.Float64)).item() or 0.0)

    return Task(
        prompt_tokens=number(pl.col("prompt_tokens").median()),
        reply_tokens=number(pl.col("reply_tokens").median()),
        distinct_replies=number(pl.col("reply").n_unique() / pl.len()),
        turns=number(pl.col("turns").mean()) or 1.0,
        tool_share=number(pl.col("tools").mean()),
    )
