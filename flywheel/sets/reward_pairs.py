"""Reward models, pairwise: of two rated replies to the same prompt, the one rated higher, and by how much."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator

from flywheel.kinds import SetKind
from flywheel.records import conform, short_hash
from flywheel.sets import PICKED
from flywheel.sets.reward import Reward


class RewardPairs(SetKind):
    """One example for each two rated replies to the very same prompt with the same tools. `score` is the margin between their
    normalised scores, `raw_score` that between their mean ratings.

    A rated reply that no other rated reply shares its prompt with is left out as NO_RIVAL, one with a rating beyond the scale as
    OFF_SCALE; two replies that say the same are NO_CONTRAST, and two whose scores are not `min_margin` apart are a TIE.
    """

    use: Literal["reward_pairs"] = "reward_pairs"
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating there is."""
    min_margin: float = Field(default=0.1, gt=0.0)
    """Distance of the normalised scores from which one reply counts as the better one."""

    absent: ClassVar[str] = "no_rating"

    @model_validator(mode="after")
    def _ascending(self) -> "RewardPairs":
        Reward(name=self.name, scale=self.scale)  # which refuses a scale upside down
        return self

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        rated = Reward(name=self.name, scale=self.scale).pick(pool, labels, comparisons)
        texts = pool.select("id", "prompt_digest", "reply_digest").collect()
        sound = rated.filter(pl.col("reasons").list.len() == 0).join(texts, on="id")
        pairs = (
            sound.join(sound, on="prompt_digest", suffix="_worse")
            .filter(pl.col("id") != pl.col("id_worse"))
            .filter((pl.col("score") > pl.col("score_worse")) | _first_of_equals())
        )
        alone = sound.join(pairs.select(id=pl.concat_list("id", "id_worse")).explode("id"), on="id", how="anti")
        made = [
            _named(pairs, self.min_margin),
            _with(rated.filter(pl.col("reasons").list.len() > 0)),
            _with(alone, "NO_RIVAL"),
        ]
        picked: pl.DataFrame = conform(pl.concat(made), PICKED).sort("id")
        return picked


def _first_of_equals() -> pl.Expr:
    """Of two replies with one score each pair is looked at once."""
    return (pl.col("score") == pl.col("score_worse")) & (pl.col("id") < pl.col("id_worse"))


def _named(pairs: pl.DataFrame, least: float) -> pl.DataFrame:
    """PICKED of the pairs; their ids are the losing reply's and eight digits of the winner's."""
    codes = [short_hash(better)[:8] for better in pairs["id"]]
    margin = (pl.col("score") - pl.col("score_worse")).round(9)
    same = pl.col("reply_digest") == pl.col("reply_digest_worse")
    rows = pairs.with_columns(code=pl.Series(codes, dtype=pl.String), margin=margin).select(
        id=pl.format("{}>rating:{}", "id_worse", "code"),
        parents=pl.concat_list("id", "id_worse"),
        reasons=pl.when(same)
        .then(["NO_CONTRAST"])
        .when(pl.col("margin") < least)
        .then(["TIE"])
        .otherwise(pl.lit([], dtype=pl.List(pl.String))),
        prompt_of="id_worse",
        completion_of="id",
        rejected_of="id_worse",
        score="margin",
        raw_score=(pl.col("raw_score") - pl.col("raw_score_worse")).round(9),
        signal=pl.lit("rating"),
        weight=pl.lit(1.0),
        feedback=pl.concat_list("feedback", "feedback_worse").list.unique().list.sort(),
    )
    return conform(rows, PICKED)


def _with(rows: pl.DataFrame, reason: str | None = None) -> pl.DataFrame:
    """PICKED of rows that are in no pair; for their own reasons, or for this one."""
    return conform(rows if reason is None else rows.with_columns(reasons=pl.lit([reason])), PICKED)
