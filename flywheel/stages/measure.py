"""Signals: what is measured of every conversation, once, before anything is decided.

Signals that look at one row, and the sketches of those that compare rows, are made per day and kept; comparing looks across
the sketches of all days.
"""

from collections.abc import Sequence
from functools import partial, reduce

import polars as pl

from flywheel.kinds import Signal
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.records import CONVERSATIONS, conform
from flywheel.snapshots import Snapshot, StoredPart


def measure(conversations: Snapshot, signals: tuple[Signal, ...]) -> Dataset:
    """The dataset "measurements": per day a table `rows` (id and every row signal) and one table per corpus signal (its sketch).

    The columns of an absent signal are null; `notes["absent"]` says why it is.
    """
    absent = absences(signals)
    corpus = [s for s in signals if s.scope == "corpus" and s.use not in absent]
    nothing = pl.LazyFrame(schema=CONVERSATIONS)
    rows = _columns([s for s in signals if s.scope == "row"])
    schemas = {"rows": rows} | {s.use: s.sketch(nothing).collect_schema() for s in corpus}
    steps = tuple(s.sketch_step() for s in signals)
    there = tuple(s for s in signals if s.use not in absent)
    return Dataset(
        name="measurements",
        schemas=schemas,
        parts=[
            Part(p.name, cause("measure", steps, p.version), partial(_measure_day, p, there, rows))
            for p in conversations.parts
        ],
        derivation=Derivation(operation="measure", inputs=(conversations.ref,), steps=steps),
        accounts_for=conversations.scan().select("id"),
        notes={"absent": absent},
    )


def absences(signals: Sequence[Signal]) -> dict[str, str]:
    """Of the signals that cannot be measured here: why not."""
    return {s.use: why for s in signals if (why := s.absent()) is not None}


def _measure_day(day: StoredPart, signals: Sequence[Signal], columns: pl.Schema) -> Tables:
    rows = day.scan().collect().lazy()
    alone = [s.measure(rows) for s in signals if s.scope == "row"]
    joined = reduce(lambda left, right: left.join(right, on="id", how="left"), alone, rows.select("id", "day"))
    sketches = {s.use: s.sketch(rows).sort("id").collect() for s in signals if s.scope == "corpus"}
    return {"rows": conform(joined, columns).sort("id").collect()} | sketches


def relate(measurements: Snapshot, signals: tuple[Signal, ...]) -> Dataset:
    """The dataset "signals": per day, `id`, `day` and every column that every signal gives."""
    corpus = [s for s in signals if s.scope == "corpus"]
    schema = pl.Schema(_columns([s for s in signals if s.scope == "row"]) | _columns(corpus))
    across = measurements.scan().select("id", "day")
    for signal in corpus:
        if signal.use in measurements.schemas:
            across = across.join(signal.relate(measurements.scan(signal.use)), on="id", how="left")
    related = across.sort("id").collect()
    by_day = {str(day): rows.drop("day") for (day,), rows in related.partition_by("day", as_dict=True).items()}
    steps: tuple[Step, ...] = tuple(s.step() for s in signals)
    return Dataset(
        name="signals",
        schemas={"rows": schema},
        parts=[
            Part(
                p.name,
                cause("relate", steps, p.version, _content(by_day[p.name])),
                partial(_relate_day, p, by_day[p.name], schema),
            )
            for p in measurements.parts
            if p.name in by_day
        ],
        derivation=Derivation(operation="relate", inputs=(measurements.ref,), steps=steps),
        accounts_for=measurements.scan().select("id"),
        notes={"absent": measurements.notes.get("absent", {})},
    )


def _relate_day(day: StoredPart, across: pl.DataFrame, columns: pl.Schema) -> Tables:
    rows = day.scan().join(across.lazy(), on="id", how="left")
    return {"rows": conform(rows, columns).sort("id").collect()}


def _columns(signals: list[Signal]) -> pl.Schema:
    given = {name: dtype for s in signals for name, dtype in s.gives.items()}
    return pl.Schema({"id": pl.String, "day": pl.Date} | given)


def _content(rows: pl.DataFrame) -> bytes:
    """The bytes that decide whether a day's relations changed."""
    return rows.sort("id").write_csv().encode()
