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
}
"""What `[set.split] by` names, and the columns of the pool that tell it."""


RUNGS = 16
"""Rungs to an octave of the ladder that the bound of validation stands on."""
SHORT_BY = 12
"""Validation may be smaller than its share by one part in so many, for the sake of a bound that stands."""


def split(examples: pl.DataFrame, pool: pl.DataFrame, wanted: Split, seed: int) -> pl.DataFrame:
    """`id`, `group`, `split` of each example.

    `examples`: `id`, `parents`. `pool`: `id`, `day` and the columns of KEYS, a row for each conversation of the pool; a null
    joins nothing. An example made of several conversations joins the groups of all of them.

    Validation is every group whose hash is below a bound. The bound stands on a rung of a ladder, the highest at which
    validation is not larger than its share: so one more day puts its own groups on one side or the other, and of the others none
    changes sides, unless the bound comes to stand on another rung. Where validation would be smaller than its share by more than
    one part in SHORT_BY (few examples, or large groups), single groups are added, in the order of their hashes, as long as they
    fit. A group too large to fit stays in train, so a giant component never empties the training set.
    """
    if examples.is_empty():
        return pl.DataFrame(schema={"id": pl.String, "group": pl.String, "split": pl.String})
    grouped = groups(examples, pool, wanted.by)
    sizes = grouped.group_by("group").len("rows")
    sizes = sizes.with_columns(stable_order(sizes["group"], f"split:{seed}"))
    sizes = sizes.with_columns(rungs(sizes["order"], RUNGS)).sort("order", "group")
    room = largest_remainder(examples.height, {"train": 1.0 - wanted.validation, "validation": wanted.validation})[
        "validation"
    ]
    side = pl.when(pl.col("group").is_in(_held_out(sizes, room))).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return grouped.with_columns(split=side).sort("id")


def groups(examples: pl.DataFrame, pool: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """`id`, `group` of each example: the connected components of sharing any key in the pool, named by their first row there, by
    day and id. So a group keeps its name while later days add to it."""
    rows = pool.sort("day", "id").with_row_index("node").with_columns(pl.col("node").cast(pl.Int64))
    # The row itself is a key: two examples made of one conversation are never apart, whatever `by` says.
    parents = examples.select("id", parent="parents").explode("parent")
    places = rows.select(parent="id", at="node")
    made_of = parents.join(places, on="parent", maintain_order="left").with_columns(to=pl.col("at").first().over("id"))
    columns = [c for name in by for c in KEYS[name] if c in pool.columns]
    shared = [rows.select(at="node", to=pl.col("node").min().over(c)).filter(rows[c].is_not_null()) for c in columns]
    edges = pl.concat([made_of.select("at", "to").filter(pl.col("at") != pl.col("to")), *shared])
    labels = components(rows.height, edges["at"].to_numpy(), edges["to"].to_numpy())
    found = made_of.unique("id", keep="first", maintain_order=True)
    return found.select("id", group=rows["id"].gather(labels[found["at"].to_numpy()])).sort("id")


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
