"""Coverage as the checks judge it: of a candidate, from its stored matrix; of new logs, against the set that is released."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from flywheel.coverage.acquisition import ACQUISITION
from flywheel.coverage.axes import in_logs, known, of_examples, released
from flywheel.coverage.matrix import MATRIX
from flywheel.coverage.targets import drifted, measured
from flywheel.coverage.wanted import SUFFIX
from flywheel.errors import FlywheelError, nearest
from flywheel.kinds import SetKind
from flywheel.quality.tally import MEASURES
from flywheel.storage.snapshots import Snapshot, Store

if TYPE_CHECKING:
    from flywheel.home import Home

Row = tuple[str, str, float, int]


def of_set(store: Store, wanted: SetKind) -> pl.DataFrame:
    """MEASURES of the coverage of a candidate."""
    rows = measured(store.head(f"{wanted.name}{SUFFIX}").scan().collect(), wanted.coverage) if wanted.covers else []
    return _table(rows)


def coverage_of(store: Store, candidate: Snapshot) -> list[dict[str, Any]]:
    """The matrix of this very candidate, line by line; empty where it shall cover nothing."""
    name = f"{candidate.name}{SUFFIX}"
    made = store.head(name) if store.head_key(name) else None
    return made.scan().collect().to_dicts() if made and candidate.ref in made.derivation.inputs else []


def of_drift(home: "Home", sets: Sequence[SetKind]) -> pl.DataFrame:
    """MEASURES of the logs of a window against the set that is released at this time, of each set that asks for it."""
    rows: list[Row] = []
    for wanted in sets:
        if drift := wanted.coverage.drift:
            conversations, signals = home.store.head("conversations"), home.store.head("signals")
            logs = {a: in_logs(wanted.coverage, drift, a, conversations, signals) for a in drift.axes}
            examples = released(home.exports / wanted.name)
            values = known(wanted.coverage, conversations, signals, drift.axes)
            there = of_examples(examples, values, drift.axes) if examples.height else None
            rows += drifted(wanted.name, drift, there, logs)
    return _table(rows)


def gaps(home: "Home", set_name: str | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """MATRIX, with `set`, and ACQUISITION of one set, or of each that shall cover something. Raises `FlywheelError` for a set that
    is not there, or that shall cover nothing."""
    known = [s.name for s in home.recipe().sets if s.covers]
    if set_name is not None and set_name not in known:
        there = f" Sets that shall: {', '.join(known)}." if known else " Add a table [set.coverage.AXIS] to the recipe."
        raise FlywheelError(f'no set "{set_name}" shall cover anything.{nearest(set_name, known)}{there}')
    made = [(name, home.store.head(f"{name}{SUFFIX}")) for name in known if set_name in (None, name)]
    nothing = pl.LazyFrame(schema={"set": pl.String, **MATRIX})
    found = [coverage.scan().select(pl.lit(name).alias("set"), *MATRIX) for name, coverage in made]
    plans = [coverage.scan("plan") for _, coverage in made]
    return pl.concat([nothing, *found]).collect(), pl.concat([pl.LazyFrame(schema=ACQUISITION), *plans]).collect()


def _table(rows: Sequence[Row]) -> pl.DataFrame:
    found = pl.DataFrame(rows, schema=MEASURES, orient="row")
    return found.with_columns(pl.col("value").round(10)).sort("metric", "segment")
