"""The checks of coverage: one for each share wanted, for each axis that follows usage, and for each that must not drift."""

import re
from collections.abc import Iterator, Mapping

import polars as pl

from flywheel.choices.follow import Counted
from flywheel.coverage.axes import counts
from flywheel.coverage.shortfall import Shortfall, short_of, sure_gap, told
from flywheel.coverage.wanted import Compared, Coverage, Drift, Wanted, pairs
from flywheel.quality.target import SURE, Target
from flywheel.records import short_hash

SMALLEST = 0.005
"""A value with a smaller share of the window says nothing of drift."""


def name_of(axis: str, value: str) -> str:
    """The name of the check of a share: letters, digits and underscores, and a hash where that would not tell values apart."""
    said = re.sub(r"[^a-z0-9]+", "_", f"{axis}_{value}".lower()).strip("_")
    plain = said == f"{axis}_{value}" and len(said) <= 80
    return f"covers_{said}" if plain else f"covers_{said[:60]}_{short_hash(axis, value)[:6]}"


def of_set(set_name: str, wanted: Coverage) -> list[Target]:
    """The checks of a candidate."""
    alone = [_share(set_name, wanted, a, v, s) for a, shares in wanted.axes.items() for v, s in shares.items()]
    crossed = [_share(set_name, wanted, *_of_cell(cell), share) for cell, share in wanted.cells.items()]
    usage = wanted.usage
    compared = [_usage(set_name, usage, axis) for axis in usage.axes] if usage else []
    return [*alone, *crossed, *compared]


def _of_cell(cell: str) -> tuple[str, str]:
    axes, values = (", ".join(side) for side in zip(*pairs(cell), strict=True))
    return axes, values


def _share(set_name: str, wanted: Coverage, axis: str, value: str, share: Wanted) -> Target:
    severity = share.severity or wanted.severity
    name = name_of(axis, value)
    return Target(
        name=name,
        metric=name,
        unit="share",
        says=f"{{value}} of {{n}} examples with {axis} = {_plain(value)}",
        next_step=f"Look at the plan: flywheel gaps --set {set_name}. Bring such rows, or change the target.",
        max=share.max,
        min=share.min,
        severity=severity,
        proportion=True,
        confidence=(SURE if severity == "warn" else None) if share.confidence is None else share.confidence,
    )


def _usage(set_name: str, usage: Compared, axis: str) -> Target:
    return Target(
        name=f"{axis}_follows_usage",
        metric=f"usage_gap_{axis}",
        unit="share",
        says=f"a share of {axis} at least {{value}} off its share of the usage, in {{n}} examples"
        if usage.confidence
        else f"a share of {axis} {{value}} off its share of the usage, in {{n}} examples",
        next_step=f"Look at the plan: flywheel gaps --set {set_name}. Bring such rows, or widen the tolerance.",
        max=usage.tolerance,
        severity=usage.severity,
    )


def of_drift(set_name: str, wanted: Coverage) -> list[Target]:
    """The checks of new logs against the released set."""
    drift = wanted.drift
    if drift is None:
        return []
    return [
        Target(
            name=f"{set_name}_covers_new_{axis}",
            metric=f"drift_{set_name}_{axis}",
            unit="share",
            says=f"{{value}} of the logs of {drift.days} days with a {axis} that {set_name} has less of, of {{n}} in all",
            next_step="Release the set anew, with rows of that value; what the pool lacks stands in: flywheel gaps",
            max=drift.tolerance,
            severity=drift.severity,
        )
        for axis in drift.axes
    ]


# --- what they judge


def measured(matrix: pl.DataFrame, wanted: Coverage) -> list[tuple[str, str, float, int]]:
    """Rows of `measures.MEASURES`: each share with a target, and each value's gap to the usage, as far as that is sure."""
    rows: list[tuple[str, str, float, int]] = []
    for line in matrix.iter_rows(named=True):
        short = Shortfall(line["replacing"], line["adding"])
        missing = f"{'short' if line['gap'] < 0 else 'beyond by'} {told(short)}" if short.replacing else ""
        if line["why"] == "target" and (line["least"] is not None or line["most"] is not None):
            rows.append((name_of(line["axis"], line["value"]), missing, line["share"], line["n"]))
        if line["why"] == "usage" and wanted.usage:
            gap = sure_gap(line["share"], line["n"], line["usage"], line["usage_n"], wanted.usage.confidence)
            segment = f"{line['value']}, {line['share']:.1%} of the set and {line['usage']:.1%} of the usage"
            rows.append((f"usage_gap_{line['axis']}", f"{segment}{', ' if missing else ''}{missing}", gap, line["n"]))
    for axis in wanted.usage.axes if wanted.usage else ():
        if not any(metric == f"usage_gap_{axis}" for metric, *_ in rows):
            rows.append((f"usage_gap_{axis}", "no call of the window and no example has a value", 1.0, 0))
    return rows


def drifted(
    set_name: str, drift: Drift, values: pl.DataFrame | None, logs: Mapping[str, Counted]
) -> list[tuple[str, str, float, int]]:
    """Rows of `measures.MEASURES`: of each value of the window, the share that the released set lacks, as far as that is sure.

    `values`: the released examples with their value on each axis; None where nothing is released: then nothing can drift.
    """
    rows: list[tuple[str, str, float, int]] = []
    for axis, window in logs.items():
        metric, total = f"drift_{set_name}_{axis}", sum(window.values.values())
        there = {} if values is None else counts(values, axis)
        n = sum(there.values())
        found = list(_lacking(window, total, there, n, drift)) if values is not None and total else []
        note = "nothing is released yet" if values is None else "no call of the window has a value" if not total else ""
        rows += [(metric, segment, gap, window.n) for segment, gap in found] or [(metric, note, 0.0, window.n)]
    return rows


def _lacking(
    window: Counted, total: float, there: Mapping[str, int], n: int, drift: Drift
) -> Iterator[tuple[str, float]]:
    for value, count in sorted(window.values.items()):
        asked, have = count / total, there.get(value, 0)
        share = have / n if n else 0.0
        if asked >= SMALLEST and asked > share:
            short = short_of(have, n, asked)
            yield (
                f"{_plain(value)}, {asked:.1%} of the logs and {share:.1%} of the set, short {told(short)}",
                sure_gap(share, n, asked, window.n, drift.confidence),
            )


def _plain(value: str) -> str:
    """A value on one line, without the braces of a format: values come from logs."""
    return "".join(c if c.isprintable() and c not in "{}" else " " for c in value)[:60]
