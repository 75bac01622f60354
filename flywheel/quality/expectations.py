"""Targets over measures, judged by Great Expectations: this is the only door to it.

It fails closed. A metric that is missing, a number that is none, an exception: none of them passes, and the finding says why.
Great Expectations is imported when something is judged and not before: that takes seconds, and opens no connection.
"""

import importlib
import logging
import math
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from flywheel.quality.targets import Severity, Target

WORST = 20
"""Segments shown of a finding."""
NAMED = 3
"""Segments named in its sentence."""

_ONE_AT_A_TIME = threading.Lock()
"""Great Expectations keeps its project in a global of the process."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    passed: bool
    """True for a check that is declared off, too: see `severity` before you call it a success."""
    severity: Severity
    blocking: bool
    """Whether a failure of this check stops what is downstream."""
    metric: str
    observed: float | None
    """The worst value; None where there is none to speak of."""
    bound: str
    """The bound in words: "at most 5%"."""
    summary: str
    """One sentence: the number, the threshold and, when it failed, the next step."""
    n: int
    """The count the worst value was taken over."""
    worst: tuple[dict[str, str | float | int], ...] = ()
    """The worst segments, worst first: `segment`, `value`, `n`."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One question to Great Expectations: the largest (or smallest) value of a metric against a limit."""

    name: str
    metric: str
    side: str
    """max | min"""
    limit: float


def judge(targets: Sequence[Target], measures: pl.DataFrame) -> list[Finding]:
    """A finding for each target, in their order. Never raises: what cannot be judged has failed.

    `measures` has the columns of `measures.MEASURES`.
    """
    faults: dict[str, str] = {t.name: why for t in targets if (why := _fault(t, measures))}
    bounds = [
        Bound(t.name, _banded(t, side), side, limit)
        for t in targets
        if t.name not in faults and t.severity != "off"
        for side, limit in (("max", t.max), ("min", t.min))
        if limit is not None
    ]
    verdicts: dict[str, bool | str] = {}
    try:
        verdicts = _validate(bounds, _with_bands(targets, measures)) if bounds else {}
    except Exception as e:
        # Whatever Great Expectations throws, a gate must not open by it.
        verdicts = {b.name: f"Great Expectations stopped with {type(e).__name__}: {_plain(str(e))}" for b in bounds}
    faults |= {name: verdict for name, verdict in verdicts.items() if isinstance(verdict, str)}
    for b in bounds:
        if b.name not in verdicts:
            faults[b.name] = "Great Expectations gave no verdict"
    return [_finding(t, measures, faults.get(t.name), verdicts.get(t.name) is True) for t in targets]


def _banded(target: Target, side: str) -> str:
    """Under which metric the values to hold against a bound stand: of a target with a band, those nearest to what is allowed."""
    return f"{target.metric}, {side} of {target.name}" if target.confidence else target.metric


def _with_bands(targets: Sequence[Target], measures: pl.DataFrame) -> pl.DataFrame:
    """The measures and, for each target with a band, the end of each value's interval that is nearer to what is allowed."""
    near = []
    for target in (t for t in targets if t.confidence):
        for row in measures.filter(pl.col("metric") == target.metric).iter_rows(named=True):
            ends = target.interval(row["value"], row["n"])
            near += [
                row | {"metric": _banded(target, side), "value": end}
                for side, end in zip(("max", "min"), ends, strict=True)
            ]
    return pl.concat([measures, pl.DataFrame(near, schema=measures.schema)])


def _fault(target: Target, measures: pl.DataFrame) -> str | None:
    """Why a target cannot be judged at all, or None."""
    limits = [limit for limit in (target.max, target.min) if limit is not None]
    if not limits:
        return "the check has no bound"
    if any(math.isnan(limit) for limit in limits):
        return "its bound is not a number"
    if measures.is_empty():
        return "the table of measures is empty"
    values = measures.filter(pl.col("metric") == target.metric)["value"]
    if values.is_empty():
        return f'the metric "{target.metric}" was not measured'
    if not values.is_finite().fill_null(False).all():
        return f'the metric "{target.metric}" holds something that is not a number'
    return None


def _validate(bounds: Sequence[Bound], measures: pl.DataFrame) -> dict[str, bool | str]:
    """Check -> whether all its bounds hold, or why that cannot be told, by one suite over the table."""
    with _ONE_AT_A_TIME:
        os.environ["GX_ANALYTICS_ENABLED"] = "False"
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        gx, gxe, pandas = map(
            importlib.import_module, ("great_expectations", "great_expectations.expectations", "pandas")
        )
        from great_expectations.data_context.types.base import ProgressBarsConfig
        from great_expectations.expectations.row_conditions import Column

        def expectation(bound: Bound) -> Any:
            # Max and Min of a column, not "values between": the latter passes when no row has the metric.
            rows = {
                "column": "value",
                "row_condition": Column("metric") == bound.metric,
                "meta": {"check": bound.name},
            }
            if bound.side == "max":
                return gxe.ExpectColumnMaxToBeBetween(max_value=bound.limit, **rows)
            return gxe.ExpectColumnMinToBeBetween(min_value=bound.limit, **rows)

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("measures").add_dataframe_asset("measures")
        frame = pandas.DataFrame(measures.to_dict(as_series=False))
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite("targets", expectations=[expectation(b) for b in bounds])
        results = batch.validate(suite, result_format="BASIC").results
    answers: dict[str, list[bool | str]] = {b.name: [] for b in bounds}
    for result in results:
        answers[result.expectation_config.meta["check"]].append(_held(result))
    asked = Counter(b.name for b in bounds)
    return {name: _together(given) for name, given in answers.items() if len(given) == asked[name]}


def _held(result: Any) -> bool | str:
    """Whether one expectation held, or the exception that Great Expectations swallowed."""
    info = result.exception_info or {}
    for fault in (info, *(v for v in info.values() if isinstance(v, Mapping))):
        if fault.get("raised_exception"):
            return f"Great Expectations stopped with: {_plain(str(fault.get('exception_message')))}"
    return result.success is True


def _together(answers: Sequence[bool | str]) -> bool | str:
    return next((a for a in answers if isinstance(a, str)), all(answers))


def _finding(target: Target, measures: pl.DataFrame, fault: str | None, held: bool) -> Finding:
    rows = _worst_first(target, measures)
    first = rows[0] if rows else None
    off = target.severity == "off"
    passed = off or (fault is None and held)
    if first is None or fault is not None:
        says = f"not judged: {fault}"
    else:
        says = target.says.format(value=_told(target, float(first["value"])), n=f"{int(first['n']):,}") + _noise(
            target, first
        )
    if off:
        summary = f"{_capital(target.off_because)}; not judged: {says.removeprefix('not judged: ')}."
    elif fault is not None:
        summary = f"{_capital(says)}; a check that cannot be judged fails. Run: flywheel build. If it happens again, please report it."
    elif passed:
        summary = f"{_capital(says)}; {_allowed(target)}."
    else:
        summary = f"{_capital(says)}{_where(target, rows)}; {_allowed(target)}. {target.next_step}"
    return Finding(
        name=target.name,
        passed=passed,
        severity=target.severity,
        blocking=target.blocking,
        metric=target.metric,
        observed=float(first["value"]) if first and fault is None else None,
        bound=target.bound,
        summary=summary,
        n=int(first["n"]) if first else 0,
        worst=tuple(rows[:WORST]),
    )


def _worst_first(target: Target, measures: pl.DataFrame) -> list[dict[str, str | float | int]]:
    """The rows of a metric, by how far they are beyond (or how near to) the bound they come closest to breaking."""
    found = measures.filter((pl.col("metric") == target.metric) & pl.col("value").is_finite())
    ends = [target.interval(v, n) for v, n in found.select("value", "n").iter_rows()]
    return (
        found.with_columns(distance=pl.Series([_beyond(target, low, high) for low, high in ends], dtype=pl.Float64))
        .sort(["distance", "segment"], descending=[True, False])
        .select("segment", "value", "n")
        .to_dicts()
    )


def _beyond(target: Target, low: float, high: float) -> float:
    """How far an interval lies beyond the bounds, as a whole; below nothing where it does not."""
    over = low - target.max if target.max is not None else -math.inf
    under = target.min - high if target.min is not None else -math.inf
    return max(over, under)


def _noise(target: Target, row: Mapping[str, str | float | int]) -> str:
    """Of a value beyond its bound that need not be: the interval it lies in."""
    value = float(row["value"])
    low, high = target.interval(value, int(row["n"]))
    if not _breaks(target, value) or _beyond(target, low, high) > 0:
        return ""
    return f", within noise ({target.confidence:.0%} interval {target.written(low)} to {target.written(high)})"


def _where(target: Target, rows: Sequence[Mapping[str, str | float | int]]) -> str:
    """The segments that break the bound, named: " (language=ko: 7; language=en: 2)"."""
    bad = [r for r in rows if r["segment"] and _beyond(target, *target.interval(float(r["value"]), int(r["n"]))) > 0]
    if not bad:
        return ""
    named = "; ".join(f"{_plain(str(r['segment']))}: {_told(target, float(r['value']))}" for r in bad[:NAMED])
    return f" ({named}{f'; and {len(bad) - NAMED} more' if len(bad) > NAMED else ''})"


def _told(target: Target, value: float) -> str:
    """A value in words; exactly, where it breaks a bound that it would be rounded to."""
    text = target.written(value)
    if _breaks(target, value) and text in [target.written(b) for b in (target.max, target.min) if b is not None]:
        return target.written(value, digits=9)
    return text


def _breaks(target: Target, value: float) -> bool:
    return (target.max is not None and value > target.max) or (target.min is not None and value < target.min)


def _allowed(target: Target) -> str:
    if target.min is None:
        return "none allowed" if target.max == 0 else f"{target.bound} allowed"
    return f"{target.bound} wanted"


def _plain(segment: str) -> str:
    """A segment on one line: values of axes come from logs."""
    return "".join(c if c.isprintable() else " " for c in segment)[:160]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
