"""Supervised finetuning: each reply worth imitating, or the better one a person wrote in its place."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import SetKind
from flywheel.records import conform
from flywheel.sets import PICKED


class Sft(SetKind):
    """One example for each conversation: its prompt, and its reply or the user's correction of it.

    A reply that a filter calls undesired is left out with that filter's reasons, unless a person corrected it: then the
    reply is not imitated and its faults do not matter.
    """

    use: Literal["sft"] = "sft"
    use_corrections: bool = True
    """Put the user's edit or correction in the place of the reply."""
    require_feedback: bool = False
    """Take only replies with a sign of approval: a thumb up, a correction, or no thumb but weak signs that add up above 0."""

    absent: ClassVar[str] = "not_eligible"

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        known = labels.select("id", "thumb", "implicit", "correction", "corrected_by", "feedback")
        corrected = (pl.col("correction").str.strip_chars() != "").fill_null(False) & self.use_corrections
        approved = (
            pl.when(pl.col("thumb").is_not_null())
            .then(pl.col("thumb") > 0)
            .otherwise((pl.col("implicit") > 0).fill_null(False))
        )
        sign = pl.when("corrected").then("corrected_by").when(self.require_feedback & approved).then(pl.lit("approval"))
        faults = pl.when(~pl.col("corrected")).then("undesired").fill_null([])
        unknown = pl.when(~pl.col("corrected") & self.require_feedback & ~approved).then(["no_approval"]).otherwise([])
        rows = (
            pool.select("id", "undesired")
            .join(known, on="id", how="left")
            .with_columns(corrected=corrected)
            .select(
                "id",
                parents=pl.concat_list("id"),
                reasons=faults.list.concat(unknown.cast(pl.List(pl.String))),
                prompt_of="id",
                completion_of=pl.when(~pl.col("corrected")).then("id"),
                correction=pl.when("corrected").then("correction"),
                signal=sign,
                weight=1.0,
                feedback=pl.when(sign.is_not_null()).then("feedback").fill_null([]),
            )
        )
        picked: pl.DataFrame = conform(rows, PICKED).sort("id").collect()
        return picked
