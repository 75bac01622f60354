"""Reward models: single replies with a score, made comparable between raters."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import model_validator

from flywheel.kinds import SetKind
from flywheel.sets import as_logged


class Reward(SetKind):
    """One example for each rated reply. `score` is comparable between raters, `raw_score` is the mean as given.

    A rater's ratings are taken as distances from that rater's own mean, in that rater's own standard deviations; a rater
    with a single rating, or always the same one, is measured by the mean and deviation of everybody.
    """

    use: Literal["reward"] = "reward"
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating there is. A reply with any rating beyond it is left out as OFF_SCALE."""

    absent: ClassVar[str] = "no_rating"

    @model_validator(mode="after")
    def _ascending(self) -> "Reward":
        if self.scale[0] >= self.scale[1]:
            raise ValueError(
                f"the scale runs from {self.scale[0]:g} to {self.scale[1]:g}; expected the lower end first"
            )
        return self

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        rated = labels.select("id", "feedback", "ratings").filter(pl.col("ratings").list.len() > 0)
        # A NaN is not between the ends, so it is off the scale too.
        on_scale = pl.element().struct.field("value").is_between(*self.scale).fill_null(False)
        rated = rated.with_columns(on_scale=pl.col("ratings").list.eval(on_scale).list.all())
        rows = pool.select("id").join(rated, on="id").join(scores(rated.filter("on_scale")), on="id", how="left")
        kept = {c: c for c in ("score", "raw_score", "feedback")}
        off = pl.when(~pl.col("on_scale")).then(["OFF_SCALE"]).otherwise(pl.lit([], dtype=pl.List(pl.String)))
        return as_logged(rows, **kept, reasons=off, signal=pl.lit("rating"))


def scores(rated: pl.LazyFrame) -> pl.LazyFrame:
    """`id`, `score` (mean of the normalised ratings), `raw_score` (mean of the ratings) of rows with `id`, `ratings`.

    Means are taken over sorted lists and rounded to nine digits: a sum of floats depends on its order.
    """
    ratings = (
        rated.select("id", "ratings").explode("ratings").unnest("ratings").sort("id", "rater", "feedback_id", "value")
    )
    raters = (
        ratings.group_by("rater")
        .agg(values=pl.col("value").sort())
        .select("rater", own_mean=pl.col("values").list.mean(), own_std=pl.col("values").list.std(ddof=0))
    )
    everyone = ratings.select(values=pl.col("value").sort().implode()).select(
        all_mean=pl.col("values").list.mean(), all_std=pl.col("values").list.std(ddof=0)
    )
    centre = pl.when(pl.col("own_std") > 0).then("own_mean").otherwise("all_mean")
    spread = pl.when(pl.col("own_std") > 0).then("own_std").otherwise("all_std")
    distance = pl.when(spread > 0).then((pl.col("value") - centre) / spread).otherwise(0.0).round(9)
    return (
        ratings.join(raters, on="rater", how="left", nulls_equal=True)
        .join(everyone, how="cross")
        .with_columns(z=distance)
        .group_by("id")
        .agg(pl.col("z").sort(), pl.col("value").sort())
        .select("id", score=pl.col("z").list.mean().round(9), raw_score=pl.col("value").list.mean().round(9))
    )
