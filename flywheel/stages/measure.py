"""Signals: what is measured of every conversation, once, before anything is decided.

Signals that look at one row, and the sketches of those that compare rows, are made per day and kept. What a day's rows have
to do with those of the days before is found once and kept too; relating puts it together across all days.
"""

from collections.abc import Sequence
from functools import partial, reduce

import polars as pl

from flywheel.kinds import Signal
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.records import CONVERSATIONS, conform
from flywheel.storage.snapshots import Snapshot, StoredPart

ROWS_AT_ONCE = 16_384
"""Rows measured at a time: bounds the memory of a day, however many rows it has."""

MATCHES = pl.Schema(
    {
        "compared_by": pl.String(),  # the signal
        "candidates": pl.Int64(),  # pairs that were looked at, of rows not in one group yet
        "verified": pl.Int64(),  # of these, compared exactly; the others cannot reach the threshold
        "pairs": pl.Int64(),  # of these, alike
        "largest_bucket": pl.Int64(),  # the most texts with one key
    }
)


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
    rows = day.scan().collect()
    some = [_measured(few.lazy(), signals, columns) for few in rows.iter_slices(ROWS_AT_ONCE)]
    some = some or [_measured(rows.lazy(), signals, columns)]
    return {table: pl.concat([tables[table] for tables in some]).sort("id") for table in some[0]}


def _measured(rows: pl.LazyFrame, signals: Sequence[Signal], columns: pl.Schema) -> dict[str, pl.DataFrame]:
    alone = [s.measure(rows) for s in signals if s.scope == "row"]
    joined = reduce(lambda left, right: left.join(right, on="id", how="left"), alone, rows.select("id", "day"))
    sketches = {s.use: s.sketch(rows).collect() for s in signals if s.scope == "corpus"}
    return {"rows": conform(joined, columns).collect()} | sketches


def match(measurements: Snapshot, signals: tuple[Signal, ...]) -> Dataset:
    """The dataset "matches": per day a table for each signal that finds pairs (what there is between the day's rows, and
    between these and all earlier days'), and `rows` (MATCHES), what was done to find them.

    A new day makes its own part. A day that changes makes its own and those of the later days, which had compared with it.
    """
    matching = tuple(s for s in signals if s.edges and s.use in measurements.schemas)
    steps = tuple(s.step() for s in matching)
    days = measurements.parts
    sketches = [[p.tables[s.use].digest for s in matching] for p in days]
    return Dataset(
        name="matches",
        schemas={"rows": MATCHES} | {s.use: pl.Schema(s.edges) for s in matching},
        parts=[
            Part(day.name, cause("match", steps, *sketches[: n + 1]), partial(_match_day, day, days[:n], matching))
            for n, day in enumerate(days)
        ],
        derivation=Derivation(operation="match", inputs=(measurements.ref,), steps=steps),
    )


def _match_day(day: StoredPart, earlier: Sequence[StoredPart], signals: Sequence[Signal]) -> Tables:
    found = {}
    for signal in signals:
        known = [p.scan(signal.use) for p in earlier if p.tables[signal.use].rows]
        found[signal.use] = signal.match(day.scan(signal.use), known)
    counts = [(use, m.candidates, m.verified, m.pairs, m.largest_bucket) for use, m in found.items()]
    rows = pl.DataFrame(counts, schema=MATCHES, orient="row")
    return {"rows": rows} | {use: m.edges.sort(pl.all()) for use, m in found.items()}


def relate(measurements: Snapshot, signals: tuple[Signal, ...], matches: Snapshot | None = None) -> Dataset:
    """The dataset "signals": per day, `id`, `day` and every column that every signal gives.

    Pairs that `matches` does not hold are looked for anew.
    """
    corpus = [s for s in signals if s.scope == "corpus"]
    schema = pl.Schema(_columns([s for s in signals if s.scope == "row"]) | _columns(corpus))
    across = measurements.scan().select("id", "day")
    for signal in corpus:
        if signal.use in measurements.schemas:
            sketches = measurements.scan(signal.use)
            kept = matches is not None and signal.use in matches.schemas
            related = signal.fold(sketches, matches.scan(signal.use)) if matches and kept else signal.relate(sketches)
            across = across.join(related, on="id", how="left")
    rows = across.sort("id").collect()
    by_day = {str(day): of_day.drop("day") for (day,), of_day in rows.partition_by("day", as_dict=True).items()}
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
        derivation=Derivation(
            operation="relate", inputs=(measurements.ref, *([matches.ref] if matches else [])), steps=steps
        ),
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
