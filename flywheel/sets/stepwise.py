"""Process rewards: a solution step by step, and of each step whether it is right."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import field_validator

from flywheel.kinds import Formed, SetKind
from flywheel.records import message
from flywheel.sets.cot import place_at
from flywheel.sets.sft import Sft
from flywheel.texts.marks import LONGEST, between, fit


class Stepwise(SetKind):
    """One example for each reply whose steps were labelled, each step a message of its own, its label in `step_labels`.

    Rows are left out as NO_STEP_LABELS, BAD_STEP_LABEL (a label is neither true, false nor a number), STEPS_MISMATCH (not one
    label for each step) and TOO_LONG_FOR_STEPS (more than 100,000 characters). Unlike in other kinds a reply that a filter calls
    undesired is taken: its wrong steps are what is learned.
    """

    use: Literal["stepwise"] = "stepwise"
    labels: str = "step_labels"
    """Where the list of labels stands in the metadata of a call: a key, or a path with dots. True, or a number above 0, is right."""
    step_mark: str = r"\n+"
    """Regular expression between two steps of the reasoning, or of the reply where it has none, as `matches` takes it."""

    version: ClassVar[int] = 2
    absent: ClassVar[str] = "not_eligible"

    @field_validator("step_mark")
    @classmethod
    def _regular(cls, pattern: str) -> str:
        return fit(pattern, "step_mark")

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        picked = Sft(name=self.name, use_corrections=False).pick(pool, labels, comparisons)
        return picked.with_columns(reasons=pl.lit([], dtype=pl.List(pl.String)))

    def forms(self) -> bool:
        return True

    def formed_surely(self) -> pl.Expr:
        named = pl.col("metadata").str.contains(self.labels.split(".")[-1], literal=True).fill_null(False)
        return pl.when(~named).then(pl.lit("NO_STEP_LABELS"))

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """The reply as steps, with a label for each."""
        given = place_at(row["metadata"], self.labels)
        if not isinstance(given, list):
            return Formed(reasons=("NO_STEP_LABELS",))
        if not all(isinstance(label, bool | int | float) for label in given):
            return Formed(reasons=("BAD_STEP_LABEL",))
        reply = completion[-1]
        text = reply["reasoning"] if reply["reasoning"] is not None else reply["content"] or ""
        if len(text) > LONGEST:
            return Formed(reasons=("TOO_LONG_FOR_STEPS",))
        steps = between(text, self.step_mark)
        if len(steps) != len(given) or not steps:
            return Formed(reasons=("STEPS_MISMATCH",))
        told = [message({"role": "assistant", "content": step}) for step in steps]
        return Formed(prompt, told, columns={"step_labels": [label > 0 for label in given]})
