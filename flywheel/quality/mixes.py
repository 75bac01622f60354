"""The mix of a set against what was wanted: its cells and shares, and the usage that a window of the logs holds.

Usage is what people asked for: every call counts, also one whose reply a filter leaves out or that repeats another; a call
that gave several choices counts once.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from flywheel.choices.follow import Counted, Follow, Usage, resolved, total_variation
from flywheel.choices.mix import Mix, axis, crossed, marginals
from flywheel.kinds import SetKind, Threshold, Undeclared
from flywheel.storage.snapshots import Snapshot


def counted(
    conversations: Snapshot, signals: Snapshot, name: str, follow: Follow, value: pl.Expr | None = None
) -> Counted:
    """The usage of an axis in the window that `follow` gives, or of what `value` makes of it. Reads columns without text."""
    usage = follow.usage or Usage()
    rows = conversations.scan().filter(pl.col("choice").fill_null(0) == 0)
    newest = rows.select(pl.col("day").max()).collect().item()
    last = usage.until or newest or dt.date.min
    first = last - dt.timedelta(days=usage.days - 1) if last > dt.date.min else last
    live = pl.col("environment").is_null() | pl.col("environment").is_in(list(usage.environments))
    rows = rows.filter(pl.col("day").is_between(first, last) & live)
    if name != "task" and name not in conversations.schemas["rows"]:
        rows = rows.select("id", "user").join(signals.scan().select("id", name), on="id", how="left")
    by_users = usage.weight == "users"
    known = pl.col("value").is_not_null() & (pl.col("user").is_not_null() if by_users else True)
    calls = rows.select("user", value=follow.under(axis(name)) if value is None else value).with_columns(known=known)
    per = calls.filter("known").group_by("user", "value").agg(calls=pl.len()).collect()
    asked = pl.col("calls") / pl.col("calls").sum().over("user") if by_users else pl.col("calls").cast(pl.Float64)
    sums = per.sort("user", "value").select("value", asked=asked).group_by("value").agg(pl.col("asked").sum())
    n = per["user"].n_unique() if by_users else int(per["calls"].sum())
    unknown = int(calls.select((~pl.col("known")).sum()).collect().item() or 0)
    return Counted({str(v): round(float(c), 9) for v, c in sums.sort("value").iter_rows()}, n, unknown, first, last)


def followed(
    wanted: SetKind, conversations: Snapshot | None = None, signals: Snapshot | None = None
) -> tuple[SetKind, dict[str, Any]]:
    """The set with the shares of every axis it follows in its mix, and where each comes from.

    Raises `MixInvalid` where the logs give none.
    """
    told: dict[str, Any] = {}
    for name, follow in sorted(wanted.follow.items()):
        measured = None
        if follow.usage is not None and conversations is not None and signals is not None:
            measured = counted(conversations, signals, name, follow)
        told[name] = resolved(name, follow, measured)
    return as_noted(wanted, told), told


def as_noted(wanted: SetKind, told: Mapping[str, Any]) -> SetKind:
    """The set with the shares that were noted of each axis it follows."""
    if not told:
        return wanted
    return wanted.model_copy(update={"mix": {**wanted.mix, **{name: dict(t["shares"]) for name, t in told.items()}}})


def undeclared(wanted: SetKind) -> dict[str, Threshold]:
    """The checks of what a set does not ask for, off: its mix follows no usage, no reference; it repeats nothing."""
    asked = {
        "mix_follows_usage": ("usage in [set.follow]", wanted.measures_usage),
        "mix_is_near_reference": ("reference in [set.follow]", any(f.reference for f in wanted.follow.values())),
        "copies_are_few": ("max_copies", wanted.max_copies > 1),
    }
    return {check: Undeclared(severity="off", missing=what) for check, (what, there) in asked.items() if not there}


Row = tuple[str, str, float, int]
"""metric, segment, value, n; see measures.MEASURES."""


def measured(wanted: SetKind, candidate: Snapshot, rows: pl.DataFrame) -> list[Row]:
    """`cell_rows`, `missing_rows`, `share_gap` per cell, and `mix_distance`, the total variation between shares wanted and
    shares there; `usage_distance` and `reference_distance` of each axis that was measured or has a reference.

    What `rows` are is counted; how many were wanted of a cell, and were available, and what the usage was, is what assembling noted.
    """
    told = candidate.notes.get("follow", {})
    wanted, n = as_noted(wanted, told), rows.height
    noted = {c["cell"]: c for c in candidate.notes.get("cells", ())}
    shares = crossed(wanted.mix)
    counts = rows.group_by(cell=pl.col("cell").fill_null("")).agg(pl.len()).sort("cell").iter_rows()
    there = dict.fromkeys([*shares, *noted], 0.0) | {str(cell): float(count) for cell, count in counts}
    short = {c: max(0.0, float(noted[c]["wanted"] or 0) - there[c]) if c in noted else 0.0 for c in there}
    total = max(sum(short.values()), float((wanted.examples or 0) - n))
    aim = max(n, wanted.examples or 0, sum(int(c["wanted"] or 0) for c in noted.values()))
    gaps = {c: abs(shares.get(c, 0.0) - (there[c] / n if n else 0.0)) for c in there}
    distance = sum(gaps.values()) / 2 if n else (1.0 if wanted.mix else 0.0)
    return [
        *(("cell_rows", c, v, n) for c, v in there.items()),
        ("missing_rows", "", total, aim),
        *(("missing_rows", c, v, aim) for c, v in short.items() if c),
        ("mix_distance", "", distance, n),
        *(("share_gap", c, v, n) for c, v in (gaps if wanted.mix else {"": 0.0}).items()),
        *(("share_wanted", c, v, n) for c, v in (shares if wanted.mix else {}).items()),
        *(("cell_available", c, float(v.get("available") or 0), n) for c, v in noted.items()),
        *_distances(wanted.mix, told, there),
        *([] if wanted.measures_usage else [("usage_distance", "", 0.0, 0)]),
        *([] if any(f.reference for f in wanted.follow.values()) else [("reference_distance", "", 0.0, 0)]),
    ]


def _distances(mix: Mix, told: Mapping[str, Any], made: Mapping[str, float]) -> list[Row]:
    """Per axis, the total variation between what it follows and the rows made. Usage is an estimate, and n is what it was taken
    over; the rows of a set are drawn to count."""
    rows: list[Row] = []
    n = int(sum(made.values()))
    for name, of in sorted(told.items()):
        there = marginals(mix, made)[name]
        shares = {v: count / n for v, count in there.items()} if n else {}
        if usage := of.get("usage"):
            rows.append(("usage_distance", name, total_variation(usage["shares"], shares) if n else 1.0, usage["n"]))
        if reference := of.get("reference"):
            segment = f"{name}: reference {reference['name']}"
            distance = total_variation(reference["shares"], shares) if n else 1.0
            rows.append(("reference_distance", segment, distance, n))
    return rows
