"""The coverage matrix of a set: what is there of each value of each axis, what was wanted, and what the gap comes to in rows."""

from collections.abc import Iterator, Mapping

import polars as pl

from flywheel.choices.follow import Counted
from flywheel.coverage.axes import counts
from flywheel.coverage.shortfall import Shortfall, beyond, short_of, sure_gap, wilson
from flywheel.coverage.wanted import Compared, Coverage, Wanted, pairs

SURE = 0.95
"""Confidence of the intervals."""
MATRIX = pl.Schema(
    {
        "axis": pl.String,  # of a cell: its axes, "language, task_type"
        "value": pl.String,  # of a cell: its values, "ko, code"
        "why": pl.String,  # target | usage | shown
        "rows": pl.Int64,  # examples with the value
        "n": pl.Int64,  # examples with a value on the axis
        "share": pl.Float64,
        "low": pl.Float64,  # Wilson's 95% interval of the share
        "high": pl.Float64,
        "least": pl.Float64,  # wanted; of usage, its share less the tolerance
        "most": pl.Float64,
        "usage": pl.Float64,  # share in the logs of the window; null where it was not asked for
        "usage_n": pl.Int64,  # requests, or users, it was taken over
        "gap": pl.Float64,  # how far the share is off: below 0 short, above 0 beyond, 0 for met
        "replacing": pl.Int64,  # rows to be replaced to meet it; short: by rows with the value, beyond: by others
        "adding": pl.Int64,  # rows to be added to meet it; null where no number is enough
        "within_noise": pl.Boolean,  # the interval reaches what is wanted
    }
)


def matrix(wanted: Coverage, values: pl.DataFrame, logs: Mapping[str, Counted]) -> pl.DataFrame:
    """MATRIX of a set. `values`: a row for each example, a column for each axis; `logs`: the usage of each axis of `usage`."""
    rows = [*_targets(wanted, values), *_cells(wanted, values)]
    for axis, usage in sorted(logs.items()):
        rows += _against(wanted.usage or Compared(axes=(axis,)), axis, counts(values, axis), usage)
    rows += [
        _line(axis, value, "shown", have, sum(there.values()))
        for axis in wanted.show
        for there in (counts(values, axis),)
        for value, have in there.items()
    ]
    return pl.DataFrame(rows, schema=MATRIX, orient="row").sort("why", "axis", "value")


def _targets(wanted: Coverage, values: pl.DataFrame) -> Iterator[dict[str, object]]:
    """A line for each target, and for each value that is there of an axis with targets."""
    for axis, targets in wanted.axes.items():
        there = counts(values, axis)
        n = sum(there.values())
        for value in sorted({*there, *targets}):
            yield _line(axis, value, "target", there.get(value, 0), n, targets.get(value))


def _cells(wanted: Coverage, values: pl.DataFrame) -> Iterator[dict[str, object]]:
    for cell, share in wanted.cells.items():
        parts = pairs(cell)
        known = values.drop_nulls([axis for axis, _ in parts])
        have = known.filter(pl.all_horizontal([pl.col(axis) == value for axis, value in parts])).height
        axes, named = (", ".join(side) for side in zip(*parts, strict=True))
        yield _line(axes, named, "target", have, known.height, share)


def _line(axis: str, value: str, why: str, have: int, n: int, bound: Wanted | None = None) -> dict[str, object]:
    share = have / n if n else 0.0
    low, high = wilson(share, n, SURE)
    gap, short, noise = 0.0, Shortfall(0, 0), False
    if (
        bound
        and bound.min is not None
        and (missing := short_of(have, n, bound.min)).replacing + (not n and bound.min > 0)
    ):
        gap, short, noise = share - bound.min, missing, high >= bound.min
    elif bound and bound.max is not None and (over := beyond(have, n, bound.max)).replacing:
        gap, short, noise = share - bound.max, over, low <= bound.max
    return {
        "axis": axis, "value": value, "why": why, "rows": have, "n": n,
        "share": round(share, 10), "low": round(low, 10), "high": round(high, 10),
        "least": bound.min if bound else None, "most": bound.max if bound else None, "usage": None, "usage_n": None,
        "gap": round(gap, 10), "replacing": short.replacing, "adding": short.adding, "within_noise": noise,
    }  # fmt: skip


def _against(compared: Compared, axis: str, there: Mapping[str, int], logs: Counted) -> Iterator[dict[str, object]]:
    """A line for each value that the set or the logs have. Rows are counted up to the share of the logs, once it is missed."""
    n, total = sum(there.values()), sum(logs.values.values())
    for value in sorted({*there, *logs.values}):
        have = there.get(value, 0)
        share, asked = have / n if n else 0.0, logs.values.get(value, 0.0) / total if total else 0.0
        off = abs(share - asked) > compared.tolerance + 1e-12
        short = Shortfall(0, 0)
        if off:
            short = short_of(have, n, asked) if share < asked else beyond(have, n, asked)
        sure = sure_gap(share, n, asked, logs.n, compared.confidence)
        low, high = wilson(share, n, SURE)
        yield {
            "axis": axis, "value": value, "why": "usage", "rows": have, "n": n,
            "share": round(share, 10), "low": round(low, 10), "high": round(high, 10),
            "least": round(max(0.0, asked - compared.tolerance), 10), "most": round(min(1.0, asked + compared.tolerance), 10),
            "usage": round(asked, 10), "usage_n": logs.n,
            "gap": round(share - asked, 10) if off else 0.0, "replacing": short.replacing, "adding": short.adding,
            "within_noise": off and sure <= compared.tolerance,
        }  # fmt: skip
