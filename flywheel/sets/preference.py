"""Preference pairs: of two replies to the same prompt, the one that was preferred and the one that was not."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import SetKind
from flywheel.records import conform, short_hash
from flywheel.sets import PICKED

Comparison = Literal["edit", "correction", "choice", "ranking", "judge", "regeneration"]

CLEAN = r"\s+"
"""Whitespace does not tell two corrections apart."""


class Preference(SetKind):
    """One example for each comparison whose two sides answer the very same prompt with the same tools.

    A pair is left out as MISSING_SIDE (one of its replies is not in the pool), DIFFERENT_PROMPT, NO_CONTRAST (both replies
    are the same), CONTRADICTED_PAIR (somebody preferred them the other way round), OUTVOTED (more did) or REPEATED_PAIR (said more
    than once: the heaviest, then the earliest, stays); and with the filters' reasons where the preferred reply is one not to
    imitate.
    """

    use: Literal["preference"] = "preference"
    signals: tuple[Comparison, ...] = ("edit", "correction", "choice", "ranking", "judge", "regeneration")
    """The kinds of feedback pairs are made from; `judge` is a choice or ranking that a model made, not a person."""
    votes: Literal["exclude", "majority"] = "exclude"
    """What becomes of two replies that were preferred both ways: neither pair, or the one with more votes by weight (none in a
    tie)."""

    absent: ClassVar[str] = "no_comparison"

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        sides = pool.select("id", "prompt_digest", "reply_digest", "undesired")
        pairs = (
            comparisons.filter(pl.col("signal").is_in(self.signals))
            .with_columns(better=pl.coalesce("chosen", pl.format("text:{}", _text())))
            .unique(["signal", "better", "rejected", "feedback_id"], keep="first", maintain_order=True)
            .join(sides, left_on="rejected", right_on="id", how="left")
            .join(sides, left_on="chosen", right_on="id", how="left", suffix="_chosen")
            .collect()
        )
        judged = pairs.with_columns(reasons=_faults())
        against = pairs.group_by(better="rejected", rejected="better").agg(against=pl.col("weight").sort().sum())
        voted = judged.with_columns(votes=pl.col("weight").sort().sum().over("better", "rejected")).join(
            against, on=["better", "rejected"], how="left", maintain_order="left"
        )
        return _first_said(_named(voted.with_columns(reasons=self._settled()).drop("votes", "against")))

    def _settled(self) -> pl.Expr:
        """The reasons of pairs, those preferred both ways settled as the recipe says."""
        sound, both = pl.col("reasons").list.len() == 0, pl.col("against").is_not_null()
        ahead, behind = (pl.col("votes") > pl.col("against"), pl.col("votes") < pl.col("against"))
        if self.votes == "exclude":
            ahead, behind = pl.lit(False), pl.lit(False)
        return (
            pl.when(~sound | ~both | ahead)
            .then("reasons")
            .when(behind)
            .then(["OUTVOTED"])
            .otherwise(["CONTRADICTED_PAIR"])
        )


def _text() -> pl.Expr:
    return pl.col("correction").str.replace_all(CLEAN, " ").str.strip_chars()


def _faults() -> pl.Expr:
    """What is wrong with a pair by itself; an empty list for a sound one."""
    corrected = pl.col("chosen").is_null()
    missing = pl.col("prompt_digest").is_null() | (~corrected & pl.col("prompt_digest_chosen").is_null())
    other_prompt = ~corrected & (pl.col("prompt_digest") != pl.col("prompt_digest_chosen"))
    same = (pl.col("chosen") == pl.col("rejected")) | (pl.col("reply_digest") == pl.col("reply_digest_chosen"))
    return (
        pl.when(corrected & (_text() == ""))
        .then(["EMPTY_CORRECTION"])
        .when(missing)
        .then(["MISSING_SIDE"])
        .when(same)
        .then(["NO_CONTRAST"])
        .when(other_prompt)
        .then(["DIFFERENT_PROMPT"])
        .when(corrected)
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .otherwise(pl.col("undesired_chosen").fill_null([]))
    )


def _named(pairs: pl.DataFrame) -> pl.DataFrame:
    """An id for each pair, the same in every build: the losing reply, the kind of feedback, eight digits of the rest."""
    rest = [short_hash(better, event or "")[:8] for better, event in pairs.select("better", "feedback_id").iter_rows()]
    return pairs.with_columns(code=pl.Series(rest, dtype=pl.String)).with_columns(
        id=pl.format("{}>{}:{}", "rejected", "signal", "code")
    )


def _first_said(pairs: pl.DataFrame) -> pl.DataFrame:
    """One of each ordered pair: the heaviest, then the earliest; the others are REPEATED_PAIR."""
    sound = pl.col("reasons").list.len() == 0
    ranked = pairs.sort(pl.col("weight"), "occurred_at", "id", descending=[True, False, False], nulls_last=True)
    again = sound & (sound.cast(pl.Int32).cum_sum().over("better", "rejected") > 1)
    rows = ranked.select(
        "id",
        "signal",
        "weight",
        "correction",
        parents=pl.when(pl.col("chosen").is_null() | (pl.col("chosen") == pl.col("rejected")))
        .then(pl.concat_list("rejected"))
        .otherwise(pl.concat_list("chosen", "rejected")),
        reasons=pl.when(again).then(["REPEATED_PAIR"]).otherwise("reasons"),
        prompt_of="rejected",
        completion_of="chosen",
        rejected_of="rejected",
        feedback=pl.concat_list("feedback_id"),
    )
    picked: pl.DataFrame = conform(rows, PICKED).sort("id")
    return picked
