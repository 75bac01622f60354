"""Unpaired preference (KTO): single replies, each said to be desired or not."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import SetKind
from flywheel.sets import as_logged


class Kto(SetKind):
    """One example for each reply with a thumb: up is desired, down is not.

    Where people contradict each other and no policy settled it, the row is left out as CONTRADICTED. A reply that was
    liked although a filter calls it undesired (a refusal, say) is no good example of either side: left out, with the
    filter's reasons. A dislike counts by its thumb, not by the filter `disliked`.
    """

    use: Literal["kto"] = "kto"

    absent: ClassVar[str] = "no_thumb"

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        liked = pl.col("thumb") > 0
        faults = pl.col("undesired").fill_null([]).list.set_difference(["disliked"])
        reasons = (
            pl.when(pl.col("thumb").is_null() & pl.col("contradicted").fill_null(False))
            .then(["CONTRADICTED"])
            .when(liked)
            .then(faults)
            .otherwise(pl.lit([], dtype=pl.List(pl.String)))
        )
        rows = (
            pool.select("id", "undesired")
            .join(labels.select("id", "thumb", "contradicted", "feedback"), on="id")
            .filter(pl.col("thumb").is_not_null() | pl.col("contradicted"))
        )
        return as_logged(rows, feedback="feedback", reasons=reasons, label=liked, signal=pl.lit("thumb"))
