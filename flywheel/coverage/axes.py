"""The values that rows have on axes, and how many have each: of a set, and of a window of the logs."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from flywheel.choices.follow import Counted, Follow
from flywheel.choices.mix import axis as of_mix
from flywheel.coverage.bins import binned
from flywheel.coverage.wanted import AUTHOR, Compared, Coverage
from flywheel.quality.mixes import counted
from flywheel.storage.snapshots import Snapshot

VIRTUAL = {"task": ("app", "prompt_name"), AUTHOR: ("origin",)}
"""Axes made of other columns."""
KEY = ("id", "parents", "origin")


def value_of(axis: str, wanted: Coverage, numbers: bool) -> pl.Expr:
    """The value of an axis as text: that of its column, or the range its number is in."""
    if axis == AUTHOR:
        known = pl.when(pl.col("origin").is_not_null())
        return known.then(pl.when(pl.col("origin") == "demonstrated").then(pl.lit("human")).otherwise(pl.lit("ai")))
    if numbers:
        return binned(pl.col(axis), wanted.ranges(axis))
    return of_mix(axis)


def known(
    wanted: Coverage, conversations: Snapshot, signals: Snapshot, axes: Iterable[str] | None = None
) -> pl.LazyFrame:
    """`id` and the value of each axis, of every conversation. Reads columns without text."""
    read = tuple(wanted.read if axes is None else axes)
    logged, measured = conversations.schemas["rows"], signals.schemas["rows"]
    columns = sorted({c for axis in read for c in VIRTUAL.get(axis, (axis,))})
    rows = conversations.scan().select("id", *[c for c in columns if c in logged])
    if more := [c for c in columns if c not in logged and c in measured]:
        rows = rows.join(signals.scan().select("id", *more), on="id", how="left")
    return rows.select("id", *[_of(axis, wanted, conversations, signals).alias(axis) for axis in read])


def _of(axis: str, wanted: Coverage, conversations: Snapshot, signals: Snapshot) -> pl.Expr:
    dtype = conversations.schemas["rows"].get(axis, signals.schemas["rows"].get(axis))
    return value_of(axis, wanted, dtype is not None and dtype.is_numeric())


def of_examples(examples: pl.DataFrame, values: pl.LazyFrame, axes: Iterable[str]) -> pl.DataFrame:
    """The examples (`id`, `parents`, `origin`) with the value of each axis: that of the conversation an example is named by, else of
    its last parent. Who wrote it, and its origin, are the example's own."""
    read = list(axes)
    of = examples.select("id", "origin", parent=pl.col("parents").list.last()).lazy()
    by_id = of.join(values.rename({"id": "key"}), left_on="id", right_on="key", how="semi").select("id", key="id")
    by_parent = of.join(by_id, on="id", how="anti").select("id", key="parent")
    keyed = pl.concat([by_id, by_parent]).join(values.rename({"id": "key"}), on="key", how="left")
    told = of.join(keyed.drop("key"), on="id", how="left").collect()
    own = {AUTHOR: value_of(AUTHOR, Coverage(), False), "origin": pl.col("origin")}
    return told.select("id", *[own.get(axis, pl.col(axis)).alias(axis) for axis in read])


def counts(values: pl.DataFrame, axis: str) -> dict[str, int]:
    """Rows of each value of an axis; those without a value are not counted."""
    found = values.select(value=pl.col(axis)).drop_nulls().group_by("value").len().sort("value")
    return {str(value): int(n) for value, n in found.iter_rows()}


def in_logs(wanted: Coverage, compared: Compared, axis: str, conversations: Snapshot, signals: Snapshot) -> Counted:
    """How many requests, or users, of the window have each value of an axis."""
    value = _of(axis, wanted, conversations, signals)
    column = VIRTUAL[axis][0] if axis == AUTHOR else axis
    return counted(conversations, signals, column, Follow(usage=compared.usage), value)


def released(folder: Path) -> pl.DataFrame:
    """`id`, `parents`, `origin` of the examples of the released version; none where nothing is released."""
    rows = folder / "current" / "rows.parquet"
    if not rows.exists():
        return pl.DataFrame(schema={"id": pl.String, "parents": pl.List(pl.String), "origin": pl.String})
    return pl.read_parquet(rows, columns=list(KEY))
