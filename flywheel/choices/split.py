"""Train and validation, divided by whole groups: what shares a conversation, a user or a duplicate cluster stays together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.choices.mix import largest_remainder, stable_order
from flywheel.kinds import Split

KEYS = {
    "conversation": ("conversation_id",),
    "user": ("user", "person"),
    "duplicates": ("near_group", "exact_group", "semantic_group"),
}
"""What `[set.split] by` names, and the columns of the pool that tell it."""


def split(examples: pl.DataFrame, pool: pl.DataFrame, wanted: Split, seed: int) -> pl.DataFrame:
    """`id`, `group`, `split` of each example.

    `examples`: `id`, `parents`. `pool`: `id` and the columns of KEYS, one row for each parent; a null joins nothing. An
    example made of several conversations joins the groups of all of them. Groups are taken for validation in a seeded
    order as long as they fit; one too large to fit stays in train, so a giant component never empties the training set.
    """
    if examples.is_empty():
        return pl.DataFrame(schema={"id": pl.String, "group": pl.String, "split": pl.String})
    grouped = groups(examples, pool, wanted.by)
    sizes = grouped.group_by("group").len("rows")
    sizes = sizes.with_columns(stable_order(sizes["group"], f"split:{seed}")).sort("order", "group")
    room = largest_remainder(examples.height, {"train": 1.0 - wanted.validation, "validation": wanted.validation})[
        "validation"
    ]
    held_out = _fitting(sizes["group"].to_list(), sizes["rows"].to_list(), room)
    side = pl.when(pl.col("group").is_in(held_out)).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return grouped.with_columns(split=side).sort("id")


def groups(examples: pl.DataFrame, pool: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """`id`, `group` of each example: the connected components of sharing any key, named by their smallest example id."""
    numbered = examples.select("id", "parents").sort("id").with_row_index("node")
    parents = numbered.select("node", parent=pl.col("parents")).explode("parent")
    columns = [c for name in by for c in KEYS[name] if c in pool.columns]
    keyed = parents.join(pool.select(pl.col("id").alias("parent"), *columns), on="parent", how="left")
    # The parent itself is a key: two examples made of one conversation are never apart, whatever `by` says.
    keys = [keyed.select("node", key=pl.format(f"{c}={{}}", pl.col(c))) for c in ("parent", *columns)]
    edges = pl.concat(keys).drop_nulls().with_columns(first=pl.col("node").min().over("key"))
    labels = components(numbered.height, edges["node"].to_numpy(), edges["first"].to_numpy())
    return numbered.select("id", group=pl.col("id").gather(labels))


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
