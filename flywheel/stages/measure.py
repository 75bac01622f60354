"""Signals: what is measured of every conversation, once, before anything is decided.

Signals that look at one row, and the sketches of those that compare rows, are made per day and kept; comparing looks across
the sketches of all days.
"""

from functools import reduce

import polars as pl

from flywheel.kinds import Signal
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.records import CONVERSATIONS
from flywheel.snapshots import Snapshot, StoredPart


def measure(conversations: Snapshot, signals: tuple[Signal, ...]) -> Dataset:
    """The dataset "measurements": per day a table `rows` (id and every row signal) and one table per corpus signal (its sketch)."""
    alone = [s for s in signals if s.scope == "row"]
    corpus = [s for s in signals if s.scope == "corpus"]
    nothing = pl.LazyFrame(schema=CONVERSATIONS)
    schemas = {"rows": _columns(alone)} | {s.use: s.sketch(nothing).collect_schema() for s in corpus}

    def make(part: StoredPart) -> Tables:
        rows = part.scan()
        frames = [s.measure(rows) for s in alone]
        joined = reduce(lambda left, right: left.join(right, on="id", how="left"), frames, rows.select("id", "day"))
        return {"rows": joined.select(list(schemas["rows"])).sort("id").collect()} | {
            s.use: s.sketch(rows).sort("id").collect() for s in corpus
        }

    steps = tuple(s.sketch_step() for s in signals)
    return Dataset(
        name="measurements",
        schemas=schemas,
        parts=[Part(p.name, cause("measure", steps, p.version), lambda p=p: make(p)) for p in conversations.parts],  # type: ignore[misc]
        derivation=Derivation(operation="measure", inputs=(conversations.ref,), steps=steps),
        accounts_for=conversations.scan().select("id"),
    )


def relate(measurements: Snapshot, signals: tuple[Signal, ...]) -> Dataset:
    """The dataset "signals": per day, `id`, `day` and every column that every signal gives."""
    corpus = [s for s in signals if s.scope == "corpus"]
    schema = pl.Schema(_columns([s for s in signals if s.scope == "row"]) | _columns(corpus))
    across = measurements.scan().select("id", "day")
    for signal in corpus:
        across = across.join(signal.relate(measurements.scan(signal.use)), on="id", how="left")
    related = across.sort("id").collect()
    by_day = {str(day): rows.drop("day") for (day,), rows in related.partition_by("day", as_dict=True).items()}

    def make(part: StoredPart) -> Tables:
        rows = part.scan().join(by_day[part.name].lazy(), on="id", how="left")
        return {"rows": rows.select(list(schema)).sort("id").collect()}

    steps: tuple[Step, ...] = tuple(s.step() for s in signals)
    return Dataset(
        name="signals",
        schemas={"rows": schema},
        parts=[
            Part(p.name, cause("relate", steps, p.version, _content(by_day[p.name])), lambda p=p: make(p))  # type: ignore[misc]
            for p in measurements.parts
            if p.name in by_day
        ],
        derivation=Derivation(operation="relate", inputs=(measurements.ref,), steps=steps),
        accounts_for=measurements.scan().select("id"),
    )


def _columns(signals: list[Signal]) -> pl.Schema:
    given = {name: dtype for s in signals for name, dtype in s.gives.items()}
    return pl.Schema({"id": pl.String, "day": pl.Date} | given)


def _content(rows: pl.DataFrame) -> bytes:
    """The bytes that decide whether a day's relations changed."""
    return rows.sort("id").write_csv().encode()
