"""The first fifty rows: a pilot that covers every stratum, and its evaluation twin, which no set may ever train on."""

from collections.abc import Mapping

import polars as pl
from pydantic import BaseModel, Field

from flywheel.choices.mix import largest_remainder, stable_order

SIZE = 50
"""Rows of a pilot, where the set names no number: enough to see an effect, few enough for a person to read them all."""
LARGEST = 0.02
"""Share of the pool above which a group is too large to be kept for evaluation: it would take its rows from every set."""


class Pilot(BaseModel, frozen=True, extra="forbid"):
    """A set that is a pilot: its training side is the pilot, its validation side the twin it is evaluated on."""

    by: tuple[str, ...] = ()
    """Axes whose values, crossed, are strata: each that has a row is in the pilot, as far as there is room."""
    evaluation: int | None = Field(default=None, ge=1)
    """Rows of the twin; without it as many as the pilot has."""


def quotas(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """How many rows of each stratum: one of each, the rest in proportion; the largest strata where there are more than rows."""
    there = {s: n for s, n in counts.items() if n > 0}
    total = sum(there.values())
    if size >= total:
        return there
    if len(there) >= size:
        return dict.fromkeys(sorted(there, key=lambda s: (-there[s], s))[:size], 1)
    more = {s: (n - 1) / (total - len(there)) for s, n in there.items() if n > 1}
    extra = largest_remainder(size - len(there), more)
    return {s: 1 + extra.get(s, 0) for s in there}


def stratified(rows: pl.DataFrame, size: int, salt: str) -> pl.DataFrame:
    """So many of the rows (`id`, `stratum`), by `quotas`; within a stratum a hash of salt and id decides."""
    wanted = quotas(dict(rows["stratum"].value_counts().iter_rows()), size)
    ranked = rows.with_columns(stable_order(rows["id"], salt)).sort("order", "id")
    limit = pl.col("stratum").replace_strict(wanted, default=0, return_dtype=pl.Int64) if wanted else pl.lit(0)
    return ranked.filter(pl.int_range(pl.len()).over("stratum") < limit).drop("order").sort("id")


def drawn(rows: pl.DataFrame, size: int, evaluation: int, largest: int, seed: int) -> pl.DataFrame:
    """`id`, `side` (pilot, evaluation) of the rows taken. `rows`: `id`, `stratum`, `group` and `group_rows`, the rows of the pool in it.

    The twin shares no group with the pilot, and no group of more than `largest` rows of the pool.
    """
    pilot = stratified(rows, size, f"pilot:{seed}")
    free = rows.filter((pl.col("group_rows") <= largest) & ~pl.col("group").is_in(pilot["group"].implode()))
    twin = stratified(free, evaluation, f"evaluation:{seed}")
    sides = [pilot.select("id", side=pl.lit("pilot")), twin.select("id", side=pl.lit("evaluation"))]
    return pl.concat(sides).sort("id")
