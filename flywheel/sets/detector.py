"""Detection of machine-written text: replies as texts, each labelled by whether a model wrote it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Formed, SetKind
from flywheel.sets import as_logged
from flywheel.sets.corpus import document, surely_spoken


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
        return as_logged(
            pool,
            reasons=pl.when(known).then([]).otherwise(["UNKNOWN_ORIGIN"]).cast(pl.List(pl.String)),
            label=pl.col("origin") != "demonstrated",
            feedback=pl.lit([], dtype=pl.List(pl.String)),
        )

    def forms(self) -> bool:
        return True

    def formed_surely(self) -> pl.Expr:
        return surely_spoken()

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """The text of the reply, without what was asked, reasoning or tool calls."""
        return document((m["content"] or "").strip() for m in completion if m["role"] == "assistant")
