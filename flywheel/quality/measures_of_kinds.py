"""What only some kinds of set have to be measured by: contrast, balance of labels, scales, documents that fit."""

import polars as pl

from flywheel.kinds import SetKind
from flywheel.quality.tally import Row, each, one
from flywheel.sets.corpus import Corpus
from flywheel.sets.reward import Reward
from flywheel.sets.reward_pairs import RewardPairs
from flywheel.storage.snapshots import Snapshot

PAIRED = ("preference", "reward_pairs")
"""Kinds with a chosen and a rejected reply."""
REASONS = 5
"""How many reasons an empty set tells."""


def of_kind(wanted: SetKind, candidate: Snapshot, rows: pl.DataFrame, pool: int) -> list[Row]:
    """Rows of measures.MEASURES: `pairs_without_contrast`, `minority_share` (and, as its segment, the weights under which both
    labels count the same), `rows_lost_to_an_empty_set` and, as its segments, why each row gives no example, `scores_off_scale`, `off_scale_share` of the rows with a rating, `long_documents` of a corpus.

    `rows`: `label`, `score`, `raw_score` and `same` of each example. `pool`: how many rows there were to choose from.
    """
    n = rows.height
    up, down = (_true(rows["label"] == side) for side in (True, False))
    found = [
        *one("pairs_without_contrast", _true(rows["same"]) if wanted.use in PAIRED else 0, n),
        *one("minority_share", min(up, down) / n if n else 0.0, n),
        *one("scores_off_scale", _off_scale(wanted, rows), n),
        *_empty(candidate, n, pool),
    ]
    if wanted.use == "kto" and up and down and up != down:
        advice = f"desirable_weight = {max(up, down) / up:g} and undesirable_weight = {max(up, down) / down:g} make both sides count the same"
        found += one("minority_share", min(up, down) / n, n, advice)
    if isinstance(wanted, Reward | RewardPairs):
        found += _off_scale_share(wanted, candidate, pool)
    if isinstance(wanted, Corpus):
        packing = candidate.notes.get("packing", {})
        documents = int(packing.get("documents", 0))
        found += one("long_documents", packing["split"] / documents if documents else 0.0, documents)
    return found


def _empty(candidate: Snapshot, n: int, pool: int) -> list[Row]:
    """Nothing where the set has examples; else all the pool, and the reasons that most of its rows were left out for."""
    if n:
        return one("rows_lost_to_an_empty_set", 0, pool)
    why = candidate.scan("rejected").select("reasons").explode("reasons").drop_nulls().group_by("reasons").len()
    first = why.sort("len", "reasons", descending=[True, False]).head(REASONS).collect()
    return each("rows_lost_to_an_empty_set", pool, dict(first.iter_rows()), pool)


def _off_scale_share(wanted: Reward | RewardPairs, candidate: Snapshot, pool: int) -> list[Row]:
    """Of the rows of the pool with a rating, those with one beyond the scale, which are in no example."""
    no = candidate.scan("rejected").select("id", "reasons").explode("reasons").collect()
    off = no.filter(pl.col("reasons") == "OFF_SCALE")["id"].n_unique()
    rated = pool - no.filter(pl.col("reasons") == wanted.absent)["id"].n_unique()
    return one("off_scale_share", off / rated if rated else 0.0, rated)


def _off_scale(wanted: SetKind, rows: pl.DataFrame) -> int:
    """Rewards without a finite score, or whose rating as given lies off the scale the recipe declares; of pairs, whose margin does."""
    if not isinstance(wanted, Reward | RewardPairs):
        return 0
    low, high = wanted.scale
    least, most = (low, high) if isinstance(wanted, Reward) else (low - high, high - low)
    good = pl.col("score").is_finite() & pl.col("raw_score").is_between(least, most)
    return int(rows.select((~good).fill_null(True).sum()).item())


def _true(flags: pl.Series) -> int:
    return int(flags.cast(pl.Boolean).sum() or 0)
