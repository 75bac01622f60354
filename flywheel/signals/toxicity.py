"""How offensive the reply and the message it answers are, in English."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import last_input, last_reply
from flywheel.texts.words import BEYOND

WORDS = Path(__file__).parents[1] / "models" / "toxicity.parquet"
"""Word, its weight and its rarity, in thousandths; stop words weigh nothing. See the notice beside it."""
BIAS = 3.2776
"""What the model adds to the weighted mean of a text's words."""
TEXTS = {"reply_toxicity": last_reply, "input_toxicity": last_input}
_SPACE = r"[\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+"
MOST = 10_000
"""A word counts at most so often; beyond that the sums would not be exact."""


class Toxicity(Signal, frozen=True):
    """Probability from 0 to 1 that people would call the reply, and the message it answers, offensive, by its words.

    A linear model of English words from alt-profanity-check: it sees swearing and slurs, no threats in polite words. It knows no
    other language; texts of which it knows too few words, and empty ones, have no value.
    """

    use: Literal["toxicity"] = "toxicity"
    gives: ClassVar[Mapping[str, Any]] = dict.fromkeys(TEXTS, pl.Float64)
    on_request: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset(TEXTS)
    min_known: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of a text's words that the model must know to judge it."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        texts = rows.select("id", **{name: text() for name, text in TEXTS.items()}).collect()
        distinct = pl.concat([texts[name] for name in TEXTS]).unique().alias("text")
        scored = distinct.to_frame().with_columns(score=score(distinct, self.min_known))
        for name in TEXTS:
            known = scored.select(pl.col("text").alias(name), pl.col("score").alias("of"))
            texts = texts.join(known, on=name, how="left", maintain_order="left").drop(name).rename({"of": name})
        return texts.lazy()


def score(texts: pl.Series, min_known: float) -> pl.Series:
    """The probability of each text; null where too few of its words are known.

    Sums are of whole numbers, so that they do not depend on the order of words or texts.
    """
    plain = texts.str.to_lowercase().str.replace_all(_SPACE, " ")
    plain = pl.select(
        pl.when(plain.str.len_bytes() == plain.str.len_chars())
        .then(plain)
        .otherwise(plain.str.replace_all(BEYOND, " "))
    ).to_series()
    words = (
        pl.DataFrame({"at": pl.int_range(len(texts), eager=True), "word": plain.str.split(" ")})
        .explode("word")
        .filter(pl.col("word").str.len_bytes() > 1)
        .group_by("at", "word")
        .agg(times=pl.len().cast(pl.Int64).clip(upper_bound=MOST))
        .join(_model(), on="word", how="left")
    )
    times = pl.col("times")
    sums = words.group_by("at").agg(
        weight=(times * pl.col("weight")).sum(),
        square=(times * pl.col("idf")).pow(2).sum(),
        known=times.filter(pl.col("idf").is_not_null()).sum() / times.sum(),
    )
    logit = pl.col("weight") / pl.max_horizontal(pl.col("square").sqrt(), 1.0) + BIAS
    found = pl.when(pl.col("known") >= min_known).then((1 / (1 + logit.exp())).round(4))
    places = pl.DataFrame({"at": pl.int_range(len(texts), eager=True)})
    return places.join(sums, on="at", how="left", maintain_order="left").select(found).to_series()


@cache
def _model() -> pl.DataFrame:
    return pl.read_parquet(WORDS).cast({"weight": pl.Int64, "idf": pl.Int64})
