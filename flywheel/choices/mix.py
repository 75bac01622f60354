"""Which examples fill which share of a set: integer shares by largest remainder, cell by cell, always the same ones."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor
from typing import Annotated

import polars as pl
from pydantic import Field

from flywheel.choices.ladder import rungs

Mix = dict[str, dict[str, Annotated[float, Field(gt=0.0, le=1.0)]]]
"""axis -> value -> share."""

REFERENCE_MIXES: Mapping[str, Mapping[str, float]] = {
    "llama3_pretraining": {
        "general_knowledge": 0.50,
        "math_and_reasoning": 0.25,
        "code": 0.17,
        "multilingual": 0.08,
    },
    "llama3_sft": {
        "general_english": 0.5266,
        "reasoning_and_tools": 0.2119,
        "code": 0.1489,
        "multilingual": 0.0301,
        "exam_like": 0.0814,
        "long_context": 0.0011,
    },
    "llama3_preference": {
        "general_english": 0.8199,
        "reasoning_and_tools": 0.0589,
        "code": 0.0693,
        "multilingual": 0.0519,
    },
}
"""What Llama 3 was trained on (The Llama 3 Herd of Models, 2024): a reference to compare with, not a proven optimum."""

RUNGS = 8
"""Rungs to an octave of the ladder that a draw goes up."""

CELLS = pl.Schema({"cell": pl.String, "wanted": pl.Int64, "available": pl.Int64, "made": pl.Int64})


@dataclass(frozen=True, slots=True)
class Allocation:
    """The answer of `allocate`: every example given is in `chosen` or in `left_out`."""

    chosen: pl.DataFrame
    """`id`, `cell`."""
    left_out: pl.DataFrame
    """`id`, `reasons`: not_in_mix, beyond_the_mix or beyond_the_size."""
    cells: pl.DataFrame
    """CELLS: how many rows each cell wanted, had and got. Short cells are those with made < wanted."""

    @property
    def shortfall(self) -> dict[str, int]:
        """Rows missing in each cell that could not be filled."""
        short = self.cells.filter(pl.col("made") < pl.col("wanted"))
        return dict(zip(short["cell"].to_list(), (short["wanted"] - short["made"]).to_list(), strict=True))


def largest_remainder(n: int, shares: Mapping[str, float]) -> dict[str, int]:
    """`n` divided in whole numbers that add up to `n`, each within one of its share; ties go to the smaller key."""
    exact = _quotas(n, shares)
    counts = {key: floor(quota) for key, quota in exact.items()}
    left = n - sum(counts.values())
    for key in sorted(exact, key=lambda k: (counts[k] - exact[k], k))[:left]:
        counts[key] += 1
    return counts


def _quotas(n: int, shares: Mapping[str, float]) -> dict[str, Fraction]:
    """`n` times each share as the exact decimal fraction it was written as: 0.5266 x 10,000 is 5266, not 5265.99…"""
    parts = {key: Fraction(str(share)) for key, share in shares.items()}
    total = sum(parts.values())
    return {key: n * part / total for key, part in parts.items()}


def feasible(available: Mapping[str, int], shares: Mapping[str, float]) -> int:
    """The largest set that can be made in exactly these shares from what is available."""
    unit = _quotas(1, shares)
    n = min(sum(available.get(k, 0) for k in unit), *(_below(available.get(k, 0) + 1, unit[k]) for k in unit))
    # One more row can lower a cell's count (the Alabama paradox), so the answer is looked for from above.
    while any(count > available.get(key, 0) for key, count in largest_remainder(n, shares).items()):
        n -= 1
    return n


def _below(rows: int, share: Fraction) -> int:
    """The largest n for which n x share is less than `rows`; beyond it the cell would get `rows` or more."""
    bound = rows / share
    return floor(bound) - (1 if bound.denominator == 1 else 0)


def stable_order(ids: pl.Series, salt: str) -> pl.Series:
    """A hash of each id that is the same in every process and every version of any library; to sort by, then by id."""
    keys = [
        int.from_bytes(hashlib.blake2b(f"{salt}\0{i}".encode(), digest_size=8).digest(), "big") for i in ids.to_list()
    ]
    return pl.Series("order", keys, dtype=pl.UInt64)


def task() -> pl.Expr:
    """The axis "task": the application or workload of a call, else the name of its prompt."""
    return pl.coalesce("app", "prompt_name")


def axis(name: str) -> pl.Expr:
    """The value of an axis as text: a column of the pool, or "task"."""
    return (task() if name == "task" else pl.col(name)).cast(pl.String).alias(name)


def crossed(mix: Mix) -> dict[str, float]:
    """Cell ("axis=value, axis=value") -> share; the shares of several axes are multiplied. {"": 1} for no mix."""
    cells = product(*[[(f"{a}={value}", share) for value, share in mix[a].items()] for a in sorted(mix)])
    return {", ".join(name for name, _ in cell): _product([share for _, share in cell]) for cell in cells}


def marginals(mix: Mix, rows: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """axis -> value -> rows, of the rows in each cell of the mix."""
    axes = sorted(mix)
    sums: dict[str, dict[str, float]] = {a: dict.fromkeys(mix[a], 0.0) for a in axes}
    for values in product(*[mix[a] for a in axes]):
        held = rows.get(", ".join(f"{a}={v}" for a, v in zip(axes, values, strict=True)), 0)
        for a, v in zip(axes, values, strict=True):
            sums[a][v] += held
    return sums


def _product(shares: list[float]) -> float:
    total = Fraction(1)
    for share in shares:
        total *= Fraction(str(share))
    return float(total)


def allocate(examples: pl.DataFrame, mix: Mix, size: int | None, seed: int) -> Allocation:
    """Choose the examples of a set.

    `examples`: `id` and one text column for each axis of the mix. `size`: how many are wanted; without it as many as the
    mix allows. A cell that is short gets all there is; the others keep their counts, so a shortfall is seen, not smeared.
    Where `examples` have a column `place`, each cell is filled in that order, and a hash decides only where it is null: the lower
    ones are taken. Where they have a column `of_day`, the hashes stand on a ladder, and the last rung that is taken is taken a day
    at a time, the days in the order of a hash of theirs. So one more day takes its own part, and a few days give theirs, or some
    of it; all others keep what they had. What a day gives is by at most one part in RUNGS more than what any other does.
    """
    shares = crossed(mix)
    blank = {"place": pl.lit(None, dtype=pl.Int64), "of_day": pl.lit("")}
    known = [pl.col(c) if c in examples.columns else e.alias(c) for c, e in blank.items()]
    placed = examples.select("id", *known, cell=cell_of(mix)).with_columns(
        known=pl.col("cell").is_in(list(shares)).fill_null(False)
    )
    have = {cell: int(n) for cell, n in placed.filter("known")["cell"].value_counts().iter_rows()}
    wanted = largest_remainder(_size(have, shares, size), shares)
    turns = _turns(placed, seed)
    by = ["place", "rung", "turn", "order", *(["id"] if turns["order"].is_duplicated().any() else [])]
    ranked = turns.sort(by).with_columns(
        rank=pl.int_range(pl.len()).over("cell"),
        limit=pl.col("cell").replace_strict(wanted, default=0, return_dtype=pl.Int64),
    )
    fits = pl.col("known") & (pl.col("rank") < pl.col("limit"))
    taken = ranked.filter(fits)
    surplus = "beyond_the_mix" if mix else "beyond_the_size"
    left = ranked.filter(~fits).select(
        "id", reasons=pl.concat_list(pl.when("known").then(pl.lit(surplus)).otherwise(pl.lit("not_in_mix")))
    )
    table = [(c, wanted[c], have.get(c, 0), min(wanted[c], have.get(c, 0))) for c in sorted(shares)]
    return Allocation(
        taken.select("id", "cell").sort("id"), left.sort("id"), pl.DataFrame(table, schema=CELLS, orient="row")
    )


def _turns(placed: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The rows with `order`, their hash, `rung`, and `turn`, the hash of their day."""
    days = placed.select(pl.col("of_day").cast(pl.String).fill_null("")).to_series()
    named = days.unique().sort()
    turns = dict(zip(named.to_list(), stable_order(named, f"day:{seed}").to_list(), strict=True))
    ordered = placed.with_columns(stable_order(placed["id"], f"mix:{seed}"))
    if len(turns) < 2:
        return ordered.with_columns(rung=pl.lit(0), turn=pl.lit(0))
    turn = days.replace_strict(turns, return_dtype=pl.UInt64).alias("turn")
    return ordered.with_columns(rungs(ordered["order"], RUNGS), turn)


def cell_of(mix: Mix) -> pl.Expr:
    """The cell a row falls in; null where it has no value on some axis."""
    if not mix:
        return pl.lit("")
    return pl.concat_str(
        [pl.format(f"{a.replace('{', '').replace('}', '')}={{}}", pl.col(a)) for a in sorted(mix)], separator=", "
    )


def _size(have: Mapping[str, int], shares: Mapping[str, float], size: int | None) -> int:
    """How many examples are wanted: as asked, else as many as the shares allow."""
    return size if size is not None else feasible(have, shares)
