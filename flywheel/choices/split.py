"""Train and validation, divided by whole groups: what shares a conversation, a user or a duplicate cluster stays together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.choices.ladder import rungs
from flywheel.choices.mix import largest_remainder, stable_order
from flywheel.kinds import Split

KEYS = {
    "conversation": ("conversation_id",),
    "user": ("user", "person"),
    "duplicates": ("near_group", "exact_group", "semantic_group"),
    "source": ("source",),
}
"""What `[set.split] by` names, and the columns of the pool that tell it."""


RUNGS = 16
"""Rungs to an octave of the ladder that the bound of validation stands on."""
SHORT_BY = 12
"""Validation may be smaller than its share by one part in so many, for the sake of a bound that stands."""


def split(examples: pl.DataFrame, grouped: pl.DataFrame, wanted: Split, seed: int) -> pl.DataFrame:
    """`id`, `group`, `split` of each example.

    `examples`: `id`, `parents`. `grouped`: the groups of the pool, by what must stay on one side. An example made of several
    conversations joins the groups of all of them.

    Validation is every group whose hash is below a bound. The bound stands on a rung of a ladder, the highest at which
    validation is not larger than its share: so one more day puts its own groups on one side or the other, and of the others none
    changes sides, unless the bound comes to stand on another rung. Where validation would be smaller than its share by more than
    one part in SHORT_BY (few examples, or large groups), single groups are added, in the order of their hashes, as long as they
    fit. A group too large to fit stays in train, so a giant component never empties the training set.
    """
    if examples.is_empty():
        return pl.DataFrame(schema={"id": pl.String, "group": pl.String, "split": pl.String})
    mine = groups(examples, grouped)
    sizes = mine.group_by("group").len("rows")
    sizes = sizes.with_columns(stable_order(sizes["group"], f"split:{seed}"))
    sizes = sizes.with_columns(rungs(sizes["order"], RUNGS)).sort("order", "group")
    room = largest_remainder(examples.height, {"train": 1.0 - wanted.validation, "validation": wanted.validation})[
        "validation"
    ]
    side = pl.when(pl.col("group").is_in(_held_out(sizes, room))).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return mine.with_columns(split=side).sort("id")


def grouped_pool(pool: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """`id`, `group` of each row of the pool, by day and id: the connected components of sharing any key, named by their first row.
    So a group keeps its name while later days add to it.

    `pool`: `id`, `day` and the columns of KEYS; a null joins nothing.
    """
    rows = pool.sort("day", "id").with_row_index("node").with_columns(pl.col("node").cast(pl.Int64))
    columns = [c for name in by for c in KEYS[name] if c in pool.columns]
    shared = [rows.select(a="node", b=pl.col("node").min().over(c)).filter(rows[c].is_not_null()) for c in columns]
    edges = pl.concat([pl.DataFrame(schema={"a": pl.Int64, "b": pl.Int64}), *shared])
    labels = components(rows.height, edges["a"].to_numpy(), edges["b"].to_numpy())
    return rows.select("id", group=pl.col("id").gather(labels))


def groups(examples: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """`id`, `group` of each example. The groups of an example's parents are one, named by the first of them in the pool."""
    parents = examples.select("id", parent="parents").explode("parent")
    met = parents.join(grouped.rename({"id": "parent"}), on="parent", how="left", maintain_order="left")
    if met.height == examples.height:
        return met.select("id", "group").sort("id")
    places = grouped.with_row_index("place").join(met.select(id="group").unique(), on="id", how="semi").sort("place")
    at = places.select("group", at=pl.int_range(pl.len(), dtype=pl.Int64))
    edges = met.join(at, on="group", maintain_order="left").with_columns(to=pl.col("at").first().over("id"))
    labels = components(at.height, edges["at"].to_numpy(), edges["to"].to_numpy())
    found = edges.unique("id", keep="first", maintain_order=True)
    return found.select("id", group=at["group"].gather(labels[found["at"].to_numpy()])).sort("id")


def components(n: int, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The smallest node of each node's connected component, for `n` nodes and the edges a[i]-b[i].

    Each round hooks every root to the smallest neighbouring root, then flattens the trees by pointer jumping.
    """
    label = np.arange(n, dtype=np.int64)
    while True:
        here, there = label[a], label[b]
        if np.array_equal(here, there):
            return label
        low, high = np.minimum(here, there), np.maximum(here, there)
        np.minimum.at(label, high, low)
        while not np.array_equal(label, jumped := label[label]):
            label = jumped


def _held_out(sizes: pl.DataFrame, room: int) -> pl.Series:
    """The groups of validation. `sizes`: `group`, `rows`, `rung`, in the order of their hashes."""
    small = sizes.filter(pl.col("rows") <= room)
    filled = small.group_by("rung").agg(pl.col("rows").sum()).sort("rung").with_columns(pl.col("rows").cum_sum())
    below = filled.filter(pl.col("rows") <= room)
    under = pl.col("rung").is_in(below["rung"].implode())
    taken, left = small.filter(under)["group"], room - int(below["rows"].max() or 0)  # type: ignore[arg-type]
    if left * SHORT_BY <= room:
        return taken
    rest = small.filter(~under)
    return pl.concat(
        [taken, pl.Series("group", _fitting(rest["group"].to_list(), rest["rows"].to_list(), left), pl.String)]
    )


def _fitting(names: list[str], sizes: list[int], room: int) -> list[str]:
    """The groups that fit into `room` rows, first come first served."""
    taken = []
    for name, size in zip(names, sizes, strict=True):
        if size <= room:
            taken.append(name)
            room -= size
        if room == 0:
            break
    return taken
