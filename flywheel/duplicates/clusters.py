"""Clusters of duplicates: which row was kept for which others, and how leaving these out shifts the pool (Table 8-3)."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from flywheel.errors import FlywheelError, nearest
from flywheel.storage.snapshots import Snapshot, Store

AXES = ("language", "app", "model", "reply_words")
"""What is looked at unless other columns are named."""
SHIFT = pl.Schema(
    {
        "axis": pl.String,
        "value": pl.String,
        "before": pl.Int64,  # rows with this value, duplicates and all
        "after": pl.Int64,  # rows with it in the pool
        "share_before": pl.Float64,
        "share_after": pl.Float64,
        "shift": pl.Float64,  # share after less share before
    }
)


class AxisUnknown(FlywheelError):
    """A column was asked for that no row of the pool has."""

    exit_code = 2


def report(store: Store, axes: Sequence[str] = (), limit: int = 20) -> dict[str, Any]:
    """`{rows_before, rows_after, clusters, removed{reason: n}, largest[…], shift[…]}` of the pool as it stands.

    `clusters` counts the rows kept for at least one other. `limit`: clusters, their members and values of an axis told.
    Raises `AxisUnknown`, and `SnapshotMissing` before the first build.
    """
    curated, sources = store.head("curated"), [store.head("screened"), store.head("signals")]
    found = clusters(curated)
    reasons = curated.scan("rejected").select(pl.col("reasons").list.first()).collect().to_series().value_counts()
    largest = found.head(limit).with_columns(pl.col("members").list.head(limit))
    shifts = [shift(curated, sources, a).head(limit) for a in axes or known_axes(curated, sources)]
    return {
        "rows_before": curated.count() + curated.count("rejected"),
        "rows_after": curated.count(),
        "clusters": found.height,
        "removed": dict(sorted(reasons.iter_rows())),
        "largest": largest.to_dicts(),
        "shift": [row for table in shifts for row in table.to_dicts()],
    }


def clusters(curated: Snapshot) -> pl.DataFrame:
    """`kept`, `rows` (with the one kept), `reasons`, `similarity` (of the least similar member), `members`; largest first."""
    gone = curated.scan("rejected").filter(pl.col("instead").is_not_null())
    onward = gone.select(instead="id", onward="instead")  # the row kept of duplicates may say little of its own
    linked = gone.join(onward, on="instead", how="left").with_columns(kept=pl.coalesce("onward", "instead"))
    grouped = linked.group_by("kept").agg(
        rows=pl.len().cast(pl.Int64) + 1,
        reasons=pl.col("reasons").explode().unique().sort(),
        similarity=pl.col("similarity").min(),
        members=pl.col("id").sort(),
    )
    return grouped.sort(["rows", "kept"], descending=[True, False]).collect()


def known_axes(curated: Snapshot, sources: Sequence[Snapshot]) -> list[str]:
    """Those of AXES that rows kept and rows left out have."""
    return [a for a in AXES if a in curated.schemas["rows"] and _source(sources, a) is not None]


def shift(curated: Snapshot, sources: Sequence[Snapshot], axis: str) -> pl.DataFrame:
    """SHIFT of one axis, the largest shift first. `sources`: the snapshots that hold the columns of rows left out, too.

    Whole numbers are put together from one power of two to the next, other numbers are rounded to a tenth.
    """
    source = _source(sources, axis)
    if source is None or axis not in curated.schemas["rows"]:
        columns = sorted({c for s in sources for c in s.schemas["rows"]} & set(curated.schemas["rows"]) - {"id"})
        raise AxisUnknown(f'there is no axis "{axis}".{nearest(axis, columns)} Axes: {", ".join(columns)}.')
    value = _value(axis, curated.schemas["rows"][axis])
    gone = source.scan().select("id", axis).join(curated.scan("rejected").select("id"), on="id", how="semi")
    after = curated.scan().group_by(value=value).agg(after=pl.len().cast(pl.Int64))
    left = gone.group_by(value=value).agg(gone=pl.len().cast(pl.Int64))
    both = after.join(left, on="value", how="full", coalesce=True).with_columns(pl.col("after", "gone").fill_null(0))
    counted = both.with_columns(axis=pl.lit(axis), before=pl.col("after") + pl.col("gone")).with_columns(
        share_before=(pl.col("before") / pl.col("before").sum()).round(6),
        share_after=(pl.col("after") / pl.col("after").sum()).round(6),
    )
    told = counted.with_columns(shift=(pl.col("share_after") - pl.col("share_before")).round(6)).select(list(SHIFT))
    return told.sort([pl.col("shift").abs(), "value"], descending=[True, False]).collect()


def _source(sources: Sequence[Snapshot], axis: str) -> Snapshot | None:
    return next((s for s in sources if axis in s.schemas["rows"]), None)


def _value(axis: str, dtype: Any) -> pl.Expr:
    """The values of an axis as words; "(none)" where there is none."""
    column = pl.col(axis)
    if dtype.is_integer():
        bits = 63 - column.clip(lower_bound=1).cast(pl.UInt64).bitwise_leading_zeros().cast(pl.Int64)
        low = pl.lit(2, dtype=pl.Int64).pow(bits)
        bin_ = pl.when(low == 1).then(pl.lit("1")).otherwise(pl.format("{}-{}", low, 2 * low - 1))
        word = pl.when(column < 1).then(column.cast(pl.String)).otherwise(bin_)
    elif dtype.is_float():
        word = column.round(1).cast(pl.String)
    elif dtype.is_nested():
        word = column.list.sort().list.join(", ") if dtype == pl.List(pl.String) else pl.lit("(nested)")
    else:
        word = column.cast(pl.String)
    return word.fill_null("(none)")
