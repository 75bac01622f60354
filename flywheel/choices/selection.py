"""Which of the examples that could be in a set shall be: the recipe's table [set.select], between `pick` and the mix.

A selection looks at slim columns of all examples at once and says of each whether it stays, with its score, its weight and
its place in the queue from which the mix is then filled. To add one, write a class with `use`, `columns` and `select`, and
name it in `AnySelection`. Everything is decided by values and by a hash of seed and id, never by the order of rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.choices.mix import Mix, cell_of, crossed, stable_order, task

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

SELECTION = pl.Schema(
    {
        "id": pl.String,  # of the example
        "kept": pl.Boolean,  # by the selection; the mix may still leave it out
        "reason": pl.String,  # why not; null where it is kept
        "score": pl.Float64,  # what it was selected by; null where the selection has no score
        "weight": pl.Float64,  # how much it counts in training
        "place": pl.Int64,  # the mix is filled in this order; null where a hash decides
    }
)
"""One row for each example that was there to be selected."""

SIZES = 12
"""Sizes shown of a frontier."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The answer of a selection: SELECTION, and what people want to know of it."""

    rows: pl.DataFrame
    notes: Mapping[str, Any] = field(default_factory=dict)


class Selection(BaseModel, frozen=True, extra="forbid"):
    """What every selection has: a name, the columns it reads, and whether it reads the sketches of near duplicates."""

    use: str
    numbers: ClassVar[tuple[str, ...]] = ()
    """Fields that name a column of numbers."""

    def columns(self) -> tuple[str, ...]:
        """Columns of the pool, of labels or of examples (`score`, `raw_score`, `weight`) it reads."""
        raise NotImplementedError

    def sketched(self) -> bool:
        """Whether it reads the sketches of near duplicates."""
        return False

    def select(self, rows: pl.DataFrame, seed: int) -> Selected:
        """`rows`: `id`, the columns named, and `keys` (the bands of the sketch) where sketches are read."""
        raise NotImplementedError


class _Sized(Selection, frozen=True):
    """A selection that says how many stay: `n`, or the share `keep`."""

    n: int | None = Field(default=None, ge=1)
    """How many examples stay."""
    keep: float | None = Field(default=None, gt=0.0, le=1.0)
    """Share of the examples that stays."""

    @model_validator(mode="after")
    def _one_size(self) -> "_Sized":
        if self.n is not None and self.keep is not None:
            raise ValueError("n and keep both say how many stay; give one of them")
        return self

    def room(self, height: int) -> int:
        """How many of so many stay; all where neither is given. A share is rounded up: nothing is pruned to nothing."""
        if self.n is not None:
            return min(self.n, height)
        return height if self.keep is None else min(height, math.ceil(round(self.keep * height, 9)))


class Prune(_Sized, frozen=True):
    """Leave out the examples that teach least, by a score of how hard they are (Sorscher et al. 2022, arXiv 2206.14486).

    Where data is plenty, easy examples only repeat what others teach: keep the hard ones. Where it is scarce, hard ones are
    exceptions that nothing else in the set supports: keep the easy ones. Their theory puts the switch at a ratio of
    examples to parameters; there is no number for all models, so `plenty` is a rule of thumb to be set by trial.
    """

    use: Literal["prune"] = "prune"
    numbers: ClassVar[tuple[str, ...]] = ("score",)
    score: str
    """Column of numbers: a signal or a label."""
    higher: Literal["harder", "easier"]
    """What a higher score means."""
    side: Literal["easy", "hard", "auto"] = "auto"
    """Which ones stay. `auto`: the hard ones where there are at least `plenty` examples, else the easy ones."""
    plenty: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _says_how_many(self) -> "Prune":
        if self.n is None and self.keep is None:
            raise ValueError("says not how many stay; give keep = 0.7 or n = 5000")
        return self

    def columns(self) -> tuple[str, ...]:
        return (self.score,)

    def kept_side(self, height: int) -> str:
        """`easy` or `hard`, for so many examples."""
        return ("hard" if height >= self.plenty else "easy") if self.side == "auto" else self.side

    def select(self, rows: pl.DataFrame, seed: int) -> Selected:
        scored = rows.select("id", score=pl.col(self.score).cast(pl.Float64))
        known = scored.filter(pl.col("score").is_finite()).height
        side = self.kept_side(known)
        high = (side == "hard") == (self.higher == "harder")
        ranked = _ranked(scored, high, seed)
        kept = _cut(ranked, self.room(known), "pruned").with_columns(place=pl.lit(None, dtype=pl.Int64))
        why = f"{known:,} scored examples are {'at least' if known >= self.plenty else 'fewer than'} plenty = {self.plenty:,}"
        notes = {"side": side, "because": why if self.side == "auto" else "the recipe says so", **_counts(kept)}
        return Selected(_told(kept), notes | {"frontier": _frontier(ranked, self.room(known))})


class Top(_Sized, frozen=True):
    """Take the best by a score: small and clean beats large and noisy (Yi: under 10,000; LIMA: 1,000).

    With neither `n` nor `keep` all stay, and the mix and `examples` take the best of each cell instead of any.
    """

    use: Literal["top"] = "top"
    numbers: ClassVar[tuple[str, ...]] = ("score",)
    score: str
    """Column of numbers: a signal or a label."""
    higher: Literal["better", "worse"] = "better"
    """What a higher score means."""

    def columns(self) -> tuple[str, ...]:
        return (self.score,)

    def select(self, rows: pl.DataFrame, seed: int) -> Selected:
        scored = rows.select("id", score=pl.col(self.score).cast(pl.Float64))
        ranked = _ranked(scored, self.higher == "better", seed)
        room = self.room(scored.filter(pl.col("score").is_finite()).height)
        kept = _cut(ranked, room, "below_the_top")
        return Selected(_told(kept), {**_counts(kept), "frontier": _frontier(ranked, room)})


class Importance(Selection, frozen=True):
    """Bring the examples nearer to a target distribution, by weights: target share / share in the pool.

    `weigh` keeps every example and writes the weight down, for a trainer that takes weights. `resample` draws `n` without
    replacement, each with a chance that grows with its weight (exponential keys, Efraimidis and Spirakis 2006), and weighs
    none. The shares that come out are near the target, not on it, and fall short where a value runs out. `mix` is the other
    way: whole numbers in exactly the shares wanted, any row of a cell as good as another, and a short cell is a fault.
    """

    use: Literal["importance"] = "importance"
    target: Mix
    """axis -> value -> share wanted, as in the mix."""
    method: Literal["weigh", "resample"] = "weigh"
    n: int | None = Field(default=None, ge=1)
    """How many `resample` draws."""

    @model_validator(mode="after")
    def _whole(self) -> "Importance":
        if not self.target:
            raise ValueError("target names no axis; write [set.select.target.AXIS] with values and shares")
        if (self.method == "resample") != (self.n is not None):
            raise ValueError('n and method = "resample" go together; give both or neither')
        return self

    def columns(self) -> tuple[str, ...]:
        return tuple(self.target)

    def select(self, rows: pl.DataFrame, seed: int) -> Selected:
        wanted = crossed(self.target)
        placed = rows.select("id", cell=cell_of(self.target)).with_columns(
            share=pl.col("cell").replace_strict(wanted, default=None, return_dtype=pl.Float64)
        )
        known = placed.filter(pl.col("share").is_not_null())
        here = pl.len().over("cell") / known.height
        weighed = known.with_columns(weight=pl.col("share") / here, had=here).sort("id")
        weights = weighed["weight"].to_numpy()
        notes: dict[str, Any] = {"effective_size": round(effective_size(weights), 1), "of": known.height}
        if self.n is not None:
            drawn = _drawn(weighed["id"], weights, self.n, seed)
            kept = weighed.with_columns(kept=pl.col("id").is_in(drawn.implode()), weight=pl.lit(1.0))
        else:
            kept = weighed.with_columns(kept=pl.lit(True))
        shares = _shares(weighed, kept, wanted, self.n is None)
        gone = [name for name in wanted if name not in set(known["cell"])]
        notes |= {"cells": shares} | ({"nowhere": gone} if gone else {})
        lacking = placed.filter(pl.col("share").is_null()).select(
            "id", kept=pl.lit(False), reason=pl.lit("not_in_target")
        )
        reasons = kept.with_columns(reason=pl.when(~pl.col("kept")).then(pl.lit("not_drawn")))
        return Selected(_told(pl.concat([reasons, lacking], how="diagonal")), notes)


class Diverse(_Sized, frozen=True):
    """Take examples that differ: the first of every stratum and of every bucket of look-alikes before any second.

    A bucket holds the examples that share a band of the sketch of near duplicates: texts that share some half of their
    words. An example's novelty is its largest place in any of its buckets, its turn its place in its stratum by novelty;
    turns are taken in order. This is farthest-first picking with the distances cut into buckets: one sort, however many rows.
    """

    use: Literal["diverse"] = "diverse"
    by: tuple[str, ...] = ()
    """Columns whose values, crossed, are strata; numbers are cut at the powers of two."""
    near: bool = True
    """Look at the sketches of near duplicates."""

    @model_validator(mode="after")
    def _sees_something(self) -> "Diverse":
        if not self.by and not self.near:
            raise ValueError(
                'sees no difference between examples; name columns with by = ["language"], or set near = true'
            )
        return self

    def columns(self) -> tuple[str, ...]:
        return self.by

    def sketched(self) -> bool:
        return self.near

    def select(self, rows: pl.DataFrame, seed: int) -> Selected:
        turns = diversified(rows, self.by, self.near, seed)
        room = self.room(rows.height)
        kept = _cut(turns.with_columns(score=pl.lit(None, dtype=pl.Float64)), room, "alike")
        chosen, chance = turns.filter(pl.col("place") < room), turns.sort("order", "id").head(room)
        notes = {
            **_counts(kept),
            "groups": _groups(turns),
            "groups_covered": _groups(chosen),
            "groups_by_chance": _groups(chance),
        }
        return Selected(_told(kept), notes)


AnySelection = Annotated[Prune | Top | Importance | Diverse, Field(discriminator="use")]
SELECTIONS: Mapping[str, type[Selection]] = {"prune": Prune, "top": Top, "importance": Importance, "diverse": Diverse}


def diversified(rows: pl.DataFrame, by: Sequence[str], near: bool, seed: int) -> pl.DataFrame:
    """`id`, `order` (the hash), `group` (its stratum and the largest of its buckets), and `place` from 0, in this order."""
    drawn = rows.with_columns(stable_order(rows["id"], f"select:{seed}"), stratum=strata(rows.schema, by)).sort(
        "order", "id"
    )
    novelty, bucket = _buckets(drawn["keys"]) if near else (np.zeros(drawn.height, np.int64),) * 2
    return (
        drawn.select(
            "id", "order", "stratum", group=pl.col("stratum") + pl.lit("\0") + pl.Series(bucket).cast(pl.String)
        )
        .with_columns(novelty=pl.Series(novelty))
        .sort("novelty", "order", "id")
        .with_columns(turn=pl.int_range(pl.len()).over("stratum"))
        .sort("turn", "novelty", "order", "id")
        .select("id", "order", "group", place=pl.int_range(pl.len(), dtype=pl.Int64))
    )


def _buckets(keys: pl.Series) -> tuple[Whole, Whole]:
    """For rows in their order: the largest place of each in any of its buckets, from 0, and the largest of these buckets.

    A row without a sketch is like no other. One band is looked at at a time, so memory stays that of one column.
    """
    bands = int(keys.list.len().max() or 0)  # type: ignore[arg-type]
    novelty, bucket, largest = (np.zeros(len(keys), np.int64) for _ in range(3))
    rows = np.arange(len(keys))
    for band in range(bands):
        column = keys.list.get(band, null_on_oob=True)
        known = rows[column.is_not_null().to_numpy()]
        values = column.drop_nulls().to_numpy()
        order = np.argsort(values, kind="stable")
        first = (
            np.flatnonzero(np.concatenate([[True], values[order][1:] != values[order][:-1]])) if len(values) else order
        )
        sizes = np.diff(np.append(first, len(values)))
        mine = known[order]
        np.maximum.at(novelty, mine, np.arange(len(values)) - np.repeat(first, sizes))
        better = np.repeat(sizes, sizes) > largest[mine]
        largest[mine[better]] = np.repeat(sizes, sizes)[better]
        bucket[mine[better]] = np.repeat(known[order[first]] * bands + band + 1, sizes)[better]
    return novelty, bucket


def effective_size(weights: Floats) -> float:
    """How many equally weighted examples say as much: (sum of weights)² / sum of squares (Kish). 0 for none."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


# --- ranking and cutting


def _ranked(scored: pl.DataFrame, high: bool, seed: int) -> pl.DataFrame:
    """`id`, `score`, `place`: the scored rows from the side that stays, ties by hash; those without a score last, no place."""
    known = pl.col("score").is_finite().fill_null(False)
    ordered = scored.with_columns(stable_order(scored["id"], f"select:{seed}"), known=known).sort(
        ["known", "score", "order", "id"], descending=[True, high, False, False], nulls_last=True
    )
    place = pl.when("known").then(pl.int_range(pl.len()))
    return ordered.select("id", score=pl.when("known").then("score"), place=place.cast(pl.Int64))


def _cut(ranked: pl.DataFrame, room: int, reason: str) -> pl.DataFrame:
    """The rows with `kept` and `reason`: the first `room` places stay."""
    kept = (pl.col("place") < room).fill_null(False)
    unknown = pl.col("place").is_null()
    why = pl.when(unknown).then(pl.lit("no_score")).when(~kept).then(pl.lit(reason))
    return ranked.with_columns(kept=kept, reason=why)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """SELECTION, sorted by id; weight 1 where nothing else is said."""
    full = {"score": None, "weight": 1.0, "place": None}
    added = [pl.lit(v, dtype=SELECTION[c]).alias(c) for c, v in full.items() if c not in rows.columns]
    told = rows.with_columns(added).select(pl.col(c).cast(t) for c, t in SELECTION.items())
    return told.with_columns(pl.col("weight").fill_null(1.0)).sort("id")


def _counts(rows: pl.DataFrame) -> dict[str, int]:
    return {"kept": int(rows["kept"].sum()), "left_out": int((~rows["kept"]).sum())}


def _frontier(ranked: pl.DataFrame, room: int) -> list[dict[str, float]]:
    """Size -> mean score of a set of so many, from the smallest share worth having to all; and the size chosen."""
    scores = ranked["score"].drop_nulls().to_numpy()
    total = len(scores)
    sizes = sorted(
        {max(1, total >> halved) for halved in range(SIZES - 1) if total >> halved} | {room} if total else set()
    )
    means = np.cumsum(scores)
    return [{"size": n, "mean_score": round(float(means[n - 1] / n), 6)} for n in sizes if 0 < n <= total]


def _drawn(ids: pl.Series, weights: Floats, n: int, seed: int) -> pl.Series:
    """The `n` ids with the smallest exponential keys: -ln(u) / weight, u from a hash of seed and id."""
    uniform = (stable_order(ids, f"importance:{seed}").to_numpy().astype(np.float64) + 0.5) / 2.0**64
    keys = pl.DataFrame({"id": ids, "key": -np.log(np.minimum(uniform, 1 - 1e-16)) / weights})
    return keys.sort("key", "id").head(n)["id"]


def _shares(
    weighed: pl.DataFrame, kept: pl.DataFrame, wanted: Mapping[str, float], weighs: bool
) -> list[dict[str, Any]]:
    """For each cell: its share in the pool, the share wanted, the weight of its rows, the share that came out."""
    out = kept.filter("kept").with_columns(counts=pl.col("weight") if weighs else pl.lit(1.0))
    total = float(out["counts"].sum()) or 1.0
    got = dict(out.group_by("cell").agg(pl.col("counts").sum()).iter_rows())
    had = {c: (share, weight) for c, share, weight in weighed.select("cell", "had", "weight").unique().iter_rows()}
    return [
        {
            "cell": c,
            "pool": round(had.get(c, (0.0, 0.0))[0], 6),
            "target": share,
            "weight": round(had.get(c, (0.0, 0.0))[1], 6),
            "made": round(got.get(c, 0.0) / total, 6),
        }
        for c, share in sorted(wanted.items())
    ]


def strata(schema: pl.Schema, by: Sequence[str]) -> pl.Expr:
    """The stratum of each row: the values of these columns, crossed; one for all where none is named."""
    return pl.concat_str([_binned(schema[c], c) for c in by], separator="\0") if by else pl.lit("")


def _binned(dtype: Any, column: str) -> pl.Expr:
    """A column as strata: numbers by powers of two, everything else by value; null is a stratum of its own."""
    value = pl.col(column)
    if dtype.is_numeric():
        value = value.cast(pl.Float64).abs().log1p().truediv(math.log(2)).floor() * value.cast(pl.Float64).sign()
    return value.cast(pl.String).fill_null("\0")


def _groups(rows: pl.DataFrame) -> int:
    return rows["group"].n_unique()


# --- columns


EXAMPLE_NUMBERS = ("score", "raw_score", "weight")
"""Numbers that an example itself has; the score of a reward set, the weight of a pair."""


def narrowed(
    selection: Selection,
    examples: pl.DataFrame,
    pool: pl.LazyFrame,
    labels: pl.LazyFrame,
    sketches: pl.LazyFrame | None,
    seed: int,
) -> Selected:
    """What a selection says of the examples of a set (sets.PICKED). Its columns are those of the conversation that gives the prompt."""
    asked = dict.fromkeys(selection.columns())
    there, said = pool.collect_schema(), labels.collect_schema()
    own = [c for c in asked if c in EXAMPLE_NUMBERS and c not in there]
    beside = labels.select("id", *[c for c in asked if c in said and c not in there and c not in own])
    values = pool.join(beside, on="id", how="left").select(
        pl.col("id").alias("prompt_of"), *[task().alias(c) if c == "task" else pl.col(c) for c in asked if c not in own]
    )
    rows = examples.select("id", "prompt_of", *own).join(values.collect(), on="prompt_of", how="left")
    if sketches is not None:
        needed = sketches.select("keys", prompt_of="id").filter(pl.col("prompt_of").is_in(rows["prompt_of"].implode()))
        rows = rows.join(needed.collect(), on="prompt_of", how="left")
    return selection.select(rows.drop("prompt_of"), seed)
