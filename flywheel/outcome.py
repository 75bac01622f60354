"""What a build came to: the contract of `flywheel build --json`."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from flywheel.errors import SnapshotMissing
from flywheel.home import Home
from flywheel.quality.scorecard import scorecard
from flywheel.quality.waterfall import waterfall
from flywheel.stages.export import current
from flywheel.storage.snapshots import Snapshot

STAGES = ("raw_files", "conversations", "feedback", "labels", "signals", "screened", "curated")


def outcome(
    home: Home, run_id: str, success: bool, checks: Sequence[dict[str, Any]], errors: Sequence[dict[str, str]]
) -> dict[str, Any]:
    """`{success, run_id, stages[], waterfall[], sets[], curricula[], scorecards{}, checks[], errors[]}`; `success` is false when a step or a blocking check failed."""
    blocked = any(c["blocking"] and not c["passed"] for c in checks)
    recipe = home.recipe()
    refused = {c["asset"] for c in checks if c["blocking"] and not c["passed"]}
    known: dict[str, bool] = {}
    late = {name for name in (*STAGES, *(w.name for w in recipe.sets)) if behind(home, name, known)}
    return {
        "success": success and not blocked and not errors,
        "run_id": run_id,
        "stages": [s | {"behind": name in late} for name in STAGES if (s := stage(home, name)) is not None],
        "waterfall": waterfall(*[there for name in ("screened", "curated") if (there := made(home, name)) is not None]),
        "sets": [judged(set_outcome(home, w.name, w.use), refused) | {"behind": w.name in late} for w in recipe.sets],
        "curricula": [judged(set_outcome(home, c.name, "curriculum"), refused) for c in recipe.curriculum],
        "scorecards": {w.name: of_set(w.name, checks, [t.name for t in recipe.trait]) for w in recipe.sets},
        "checks": sorted(checks, key=lambda c: (c["asset"], c["name"])),
        "errors": list(errors),
    }


def made(home: Home, name: str) -> Snapshot | None:
    """The newest snapshot of a dataset; None when it was never made."""
    try:
        return home.store.head(name)
    except SnapshotMissing:
        return None


def of_set(name: str, checks: Sequence[dict[str, Any]], own: Sequence[str]) -> list[dict[str, Any]]:
    """The scorecard of a set: its own checks, and those of everything it is drawn from."""
    about = {name, f"{name}_release", *STAGES}
    return scorecard([c for c in checks if c["asset"] in about], own)


def judged(made: dict[str, Any], refused: set[str]) -> dict[str, Any]:
    """The outcome of a set; what this build refused is not released, though an earlier build may have released the same rows."""
    return made | {"released": made["released"] and made["name"] not in refused}


def behind(home: Home, name: str, known: dict[str, bool] | None = None) -> bool:
    """Whether a dataset was made of inputs that have changed since: an earlier build made it, and this one stopped before it.
    `known`: the answers found so far."""
    known = {} if known is None else known
    if name not in known:
        made_now = made(home, name)
        inputs = made_now.derivation.inputs if made_now else ()
        datasets = [ref for ref in inputs if home.store.head_key(ref.name) is not None]
        known[name] = any(
            home.store.head(ref.name).version != ref.version or behind(home, ref.name, known) for ref in datasets
        )
    return known[name]


def stage(home: Home, name: str) -> dict[str, Any] | None:
    """`{name, rows_in, rows_out, rejected{reason: n}, quarantined}` of one stage; None when it was never made.

    rows_in = rows_out + quarantined + the sum of rejected, where a row counts under the first of its reasons; `reasons`, where
    it is there, counts every reason.
    """
    try:
        made = home.store.head(name)
    except SnapshotMissing:
        return None
    if name == "raw_files":
        files = made.scan("files").select(pl.col("lines", "accepted", "quarantined").sum()).collect().row(0, named=True)
        return {
            "name": name,
            "rows_in": files["lines"],
            "rows_out": files["accepted"],
            "rejected": {"forgotten": gone}
            if (gone := files["lines"] - files["accepted"] - files["quarantined"])
            else {},
            "quarantined": files["quarantined"],
            "reasons": tally(made, "quarantine", "reason"),
        }
    if "ledger" in made.schemas:
        status = tally(made, "ledger", "status")
        applied = status.pop("applied", 0)
        return {
            "name": name,
            "rows_in": made.count("ledger"),
            "rows_out": applied,
            "rejected": status,
            "quarantined": 0,
        }
    table, column = ("rejected", "reasons") if "rejected" in made.schemas else ("set_aside", "status")
    if table not in made.schemas:
        return {"name": name, "rows_in": made.count(), "rows_out": made.count(), "rejected": {}, "quarantined": 0}
    return {
        "name": name,
        "rows_in": made.count() + made.count(table),
        "rows_out": made.count(),
        "rejected": tally(made, table, column, first=True),
        "quarantined": 0,
        "reasons": tally(made, table, column),
    }


def tally(made: Snapshot, table: str, column: str, first: bool = False) -> dict[str, int]:
    """Rows of a table by reason, most first. A row with several reasons counts under each, or only under its `first`."""
    rows = made.scan(table).select(pl.col(column).alias("reason"))
    if made.schemas[table][column] == pl.List(pl.String):
        rows = rows.with_columns(pl.col("reason").list.first()) if first else rows.explode("reason")
    counted = rows.group_by("reason").len().sort(["len", "reason"], descending=[True, False]).collect()
    return {str(reason): n for reason, n in counted.iter_rows()}


def set_outcome(home: Home, name: str, kind: str) -> dict[str, Any]:
    """`{name, kind, version, rows, train, validation, released, path}` of one set; `path` is that of the released version."""
    released = current(home.exports / name)
    try:
        candidate = home.store.head(name)
    except SnapshotMissing:
        return {
            "name": name,
            "kind": kind,
            "version": None,
            "rows": 0,
            "train": 0,
            "validation": 0,
            "released": False,
            "path": str(released) if released else None,
        }
    split = dict(candidate.scan().group_by("split").len().collect().iter_rows())
    version = candidate.version[:12]
    return {
        "name": name,
        "kind": kind,
        "version": version,
        "rows": candidate.count(),
        "train": split.get("train", 0),
        "validation": split.get("validation", 0),
        "released": released is not None and released.name == version,
        "path": str(released) if released else None,
    }


def checks_of(evaluation: Any) -> dict[str, Any]:
    """One evaluation of Dagster's as `{asset, name, passed, severity, blocking, summary}`; severity error, warn or off."""
    severity = "off" if "judged" in evaluation.metadata else evaluation.severity.value.lower()
    return {
        "asset": "/".join(evaluation.asset_key.path),
        "name": evaluation.check_name,
        "passed": bool(evaluation.passed),
        "severity": severity,
        "blocking": bool(evaluation.blocking) if evaluation.blocking is not None else severity == "error",
        "summary": evaluation.description or "",
    }
