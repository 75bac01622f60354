"""Oversampling: rows of short cells are used again, up to a cap, counted, and each copy named. Nothing is copied unless asked.

Only rows of the training side are copied: a copy in validation would count one answer twice.
"""

from dataclasses import replace

import polars as pl

from flywheel.choices.mix import Allocation, stable_order

COPIES = pl.Schema({"id": pl.String(), "copy_of": pl.String(), "copy": pl.Int64()})
"""Each copy, the example it repeats, and the number of the copy, from 2."""


def oversampled(
    chosen: pl.DataFrame, allocation: Allocation, max_copies: int, seed: int
) -> tuple[pl.DataFrame, Allocation]:
    """The chosen examples (`id`, `cell`, `split` and whatever else) with the copies that short cells need, and the cells as they are then.

    An example is there at most `max_copies` times, itself included. The copies of a cell are spread evenly: none is used a
    third time before every other one is used twice; a hash of seed and id decides who is first. A copy has the columns of its
    example, its own id, and `copy_of` and `copy`, which are null elsewhere.
    """
    short = allocation.shortfall
    if max_copies <= 1 or not short:
        return chosen, allocation
    again = chosen.filter(pl.col("cell").is_in(list(short)) & (pl.col("split") == "train"))
    again = again.with_columns(stable_order(again["id"], f"copies:{seed}"))
    rounds = pl.concat([again.with_columns(copy=pl.lit(n, dtype=pl.Int64)) for n in range(2, max_copies + 1)])
    taken = (
        rounds.sort("copy", "order", "id")
        .with_columns(rank=pl.int_range(pl.len()).over("cell"), room=pl.col("cell").replace_strict(short, default=0))
        .filter(pl.col("rank") < pl.col("room"))
    )
    copies = taken.with_columns(copy_of="id", id=pl.format("{}~{}", "id", "copy")).select(
        *chosen.columns, "copy_of", "copy"
    )
    made = copies.group_by("cell").agg(more=pl.len().cast(pl.Int64))
    cells = allocation.cells.join(made, on="cell", how="left", maintain_order="left").select(
        "cell", "wanted", "available", made=pl.col("made") + pl.col("more").fill_null(0)
    )
    return pl.concat([chosen, copies], how="diagonal").sort("id"), replace(allocation, cells=cells)


def copies_in(chosen: pl.DataFrame) -> pl.DataFrame:
    """COPIES of the chosen examples."""
    if "copy_of" not in chosen.columns:
        return COPIES.to_frame()
    return chosen.filter(pl.col("copy_of").is_not_null()).select(*COPIES)
