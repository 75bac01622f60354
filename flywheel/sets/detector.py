"""Detection of machine-written text: replies as texts, each labelled by whether a model wrote it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Formed, SetKind
from flywheel.records import conform, message
from flywheel.sets import PICKED
from flywheel.sets.corpus import surely_spoken


class Detector(SetKind):
    """One example for each reply of known origin: its text alone, and `label`, true where a model wrote it.

    A reply is a person's where its origin is `demonstrated`, and a model's of any other origin. Both are learned to be told apart
    and not to be imitated: what a filter calls undesired is in it, too. Shares of the origins are `[set.mix.origin]`. Exported
    lines hold no id and no source, by which the label could be guessed.
    """

    use: Literal["detector"] = "detector"

    absent: ClassVar[str] = "not_eligible"

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        known = pl.col("origin").is_not_null()
        rows = pool.select(
            "id",
            parents=pl.concat_list("id"),
            reasons=pl.when(known).then([]).otherwise(["UNKNOWN_ORIGIN"]).cast(pl.List(pl.String)),
            prompt_of="id",
            completion_of="id",
            label=pl.col("origin") != "demonstrated",
            weight=1.0,
            feedback=pl.lit([], dtype=pl.List(pl.String)),
        )
        picked: pl.DataFrame = conform(rows, PICKED).sort("id").collect()
        return picked

    def forms(self) -> bool:
        return True

    def formed_surely(self) -> pl.Expr:
        return surely_spoken()

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """The text of the reply, without what was asked, reasoning or tool calls."""
        text = "\n\n".join(t for m in completion if m["role"] == "assistant" and (t := (m["content"] or "").strip()))
        return Formed((), [message({"role": "assistant", "content": text})]) if text else Formed(reasons=("NO_TEXT",))
