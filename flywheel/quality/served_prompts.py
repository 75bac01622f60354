"""Whether tuned models are prompted as they were trained: their newest calls in the logs, held against the released set."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from pydantic import BaseModel, Field

from flywheel.formats.messages import INSTRUCTIONS
from flywheel.formats.prompts import (
    Lint,
    PromptForm,
    PromptInvalid,
    lint_instructions,
    lint_prompt,
    released_instructions,
    released_prompts,
    trained_form,
)
from flywheel.quality.target import Target
from flywheel.storage.snapshots import Snapshot

PROMPTED = Target(
    name="tuned_models_are_prompted_as_trained",
    metric="prompt_mismatches",
    unit="count",
    says="{value} of {n} new calls of tuned models with another prompt than they were trained on",
    next_step="Mend the prompt of the application; try one with: flywheel lint-prompt SET PROMPT",
    max=0,
    severity="warn",
)


class Tuned(BaseModel, frozen=True, extra="forbid"):
    """A model in production that was trained on a set of this recipe."""

    model: str = Field(min_length=1)
    """What the logs call it."""
    set: str
    """The set it was trained on; its released version says which form prompts have."""
    days: int = Field(default=1, ge=1)
    """How many of the newest days with calls of it are looked at."""


def served_prompts(
    conversations: Snapshot, tuned: Sequence[Tuned], exports: Path
) -> list[dict[str, str | float | int]]:
    """Rows of measures.MEASURES: calls whose last input, or instructions, are not as trained, and a segment for each model and code.

    A model whose set has no release has no form yet, and its calls are not counted.
    """
    wrong, n, rows = 0, 0, []
    for one in tuned:
        version = exports / one.set / "current"
        try:
            form, instructions = trained_form(released_prompts(version)), released_instructions(version)
        except PromptInvalid:
            continue
        calls, found, first = _linted(conversations, one, form, instructions)
        wrong, n = wrong + found.total(), n + calls
        rows += [_row(count, calls, f"{one.model}: {code}, {first[code]}") for code, count in sorted(found.items())]
    return [_row(wrong, n), *rows]


def _linted(
    conversations: Snapshot, one: Tuned, form: PromptForm, instructions: Sequence[str]
) -> tuple[int, Counter[str], dict[str, str]]:
    """How many calls there are, how many have each code, and of each code the first call and the first differing character."""
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    calls = _calls(conversations, one)
    for id, told, asked, count in calls.iter_rows():
        for lint in (lint_instructions(told, instructions), lint_prompt(asked or "", form)):
            if lint.code != "OK":
                found[lint.code] += count
                first.setdefault(lint.code, f"{id}, {_place(lint)}")
                break
    return int(calls["len"].sum()), found, first


def _calls(conversations: Snapshot, one: Tuned) -> pl.DataFrame:
    """`id`, `told`, `asked`, `len`: the distinct instructions and last inputs of the newest days, and how many calls have them."""
    mine = conversations.scan().filter(pl.col("model") == one.model)
    days = mine.select(pl.col("day").unique()).collect()["day"].sort(descending=True).head(one.days)
    role, content = pl.element().struct.field("role"), pl.element().struct.field("content")
    sent = pl.col("messages").list.head(pl.col("messages").list.len() - 1)
    return (
        mine.filter(pl.col("day").is_in(days.implode()))
        .select(
            "id",
            told=sent.list.eval(content.filter(role.is_in(list(INSTRUCTIONS)))).list.join("\n\n"),
            asked=sent.list.eval(content.filter(role == "user")).list.last(),
        )
        .group_by("told", "asked")
        .agg(pl.col("id").min(), pl.len())
        .select("id", "told", "asked", "len")
        .sort("id")
        .collect()
    )


def _place(lint: Lint) -> str:
    return f"character {lint.at}" + (f", expected {lint.expected[:20]!r}" if lint.expected else "")


def _row(value: float, n: int, segment: str = "") -> dict[str, str | float | int]:
    return {"metric": PROMPTED.metric, "segment": segment, "value": float(value), "n": n}
