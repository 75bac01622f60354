"""What the Dagster UI shows of a dataset: numbers, small tables and our own plots. Never the text of a log.

Dagster stores it with every event, several times over, so it stays below 10 KB; columns are told once, by the definition.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import dagster as dg
import polars as pl

from assets.links import audit_of
from flywheel import plots
from flywheel.duplicates import clusters
from flywheel.quality.scorecard import scorecard
from flywheel.quality.waterfall import waterfall
from flywheel.stages.export import Release
from flywheel.storage.catalog import Catalog
from flywheel.storage.releasing_curricula import ReleasedCurriculum
from flywheel.storage.snapshots import Snapshot

ROWS, FEW = 12, 5
TOLD = {True: "yes", False: "no", None: "not judged"}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
UNCOUNTED = ("rows", "residue", "made_of")
"""Tables of a dataset whose rows are counted elsewhere, or as many as the rows."""
Shown = dict[str, dg.MetadataValue]
Figure = Callable[[Snapshot, Sequence[Snapshot]], str]


def describe(snapshot: Snapshot, before: Sequence[Snapshot] = ()) -> Shown:
    """Metadata of one snapshot, in the order people ask: row count, a figure, counts by reason and by cell, what was made anew.

    `before`: the snapshots it was made from.
    """
    shown: Shown = {"dagster/row_count": dg.MetadataValue.int(snapshot.count(main_table(snapshot)))}
    covers = snapshot.derivation.operation == "cover"
    name, draw = ("rows_of_those_wanted", covered) if covers else FIGURES.get(snapshot.name, ("examples", examples))
    if drawing := draw(snapshot, before):
        shown[name] = dg.MetadataValue.md(drawing)
    if (counted := reasons(snapshot)).height:
        shown["reasons"] = table_of(counted)
    if snapshot.name == "screened" and (steps := [s for s in waterfall(snapshot) if s["hit"]]):
        shown["waterfall"] = table_of(pl.DataFrame(shortened(steps)).drop("stage"))
    if (edited := edits(snapshot)).height:
        shown["edits"] = table_of(edited)
    shown |= noted(snapshot)
    shown |= outliers(snapshot, before)
    shown |= thinned(snapshot, before) | contradicted(snapshot) | (gaps(snapshot) if covers else {})
    shown |= {f"{t}_rows": dg.MetadataValue.int(snapshot.count(t)) for t in snapshot.schemas if t not in UNCOUNTED}
    shown["parts_made"] = dg.MetadataValue.int(len(snapshot.made))
    shown["parts_reused"] = dg.MetadataValue.int(len(snapshot.parts) - len(snapshot.made))
    if days_made := [p for p in snapshot.made if DAY.fullmatch(p)]:
        more = f" and {len(days_made) - ROWS} more" if len(days_made) > ROWS else ""
        shown["days_made"] = dg.MetadataValue.text(", ".join(days_made[:ROWS]) + more)
    shown["version"] = dg.MetadataValue.text(snapshot.version)
    shown["derivation"] = dg.MetadataValue.text(snapshot.key)
    return shown | audit_of(snapshot)


def main_table(snapshot: Snapshot) -> str:
    """The table people mean when they ask how many rows there are: `rows`; of raw files, the files (a large one in pieces)."""
    return "rows" if "rows" in snapshot.schemas else "files"


def noted(snapshot: Snapshot) -> Shown:
    """The small facts a stage wrote down of a set: its split, its cells against the mix wanted, what people
    have looked at and label by, the balance of its labels."""
    notes = snapshot.notes
    shown: Shown = {k: dg.MetadataValue.int(notes[k]) for k in ("train", "validation", "missing") if k in notes}
    if notes.get("cells"):
        cells = pl.DataFrame(notes["cells"]).select("cell", "wanted", "available", "made")
        shown["cells"] = table_of(cells.with_columns(cell=pl.col("cell").replace("", "all")))
    if chosen := notes.get("selection"):
        shown |= selection(chosen)
    if "looked_at" in notes:
        shown["looked_at"] = table_of(pl.DataFrame([notes["looked_at"]]))
    if "guidelines" in notes:
        shown["guidelines"] = table_of(pl.DataFrame(notes["guidelines"]))
    if "labels" in notes:
        shown["labels"] = table_of(pl.DataFrame([notes["labels"]]))
    return shown


def outliers(snapshot: Snapshot, before: Sequence[Snapshot]) -> Shown:
    """Of the pool: the rows most unlike the others, why, and what became of them."""
    measured = [s for s in before if s.name == "signals" and "anomaly_score" in s.schemas["rows"]]
    if snapshot.name != "curated" or not measured:
        return {}
    told = measured[0].scan().select("id", score="anomaly_score", why="anomaly_why").drop_nulls()
    kept = snapshot.scan().select("id", action=pl.lit("kept"))
    gone = snapshot.scan("rejected").select("id", action=pl.lit("left out: ") + pl.col("reasons").list.join(", "))
    top = told.sort(["score", "id"], descending=[True, False]).head(ROWS)
    became = top.join(pl.concat([kept, gone]), on="id", how="left").with_columns(
        action=pl.col("action").fill_null("left out by a filter")
    )
    return {"outliers": table_of(became.sort(["score", "id"], descending=[True, False]).collect())}


def selection(notes: Mapping[str, Any]) -> Shown:
    """What the selection of a set came to; by a score, the frontier of size and quality as a figure and a table."""
    shown: Shown = {}
    if points := [(p["size"], p["mean_score"]) for p in notes.get("frontier", ())]:
        shown["size_and_mean_score"] = dg.MetadataValue.md(plots.frontier(points))
    for name in ("frontier", "cells"):
        if notes.get(name):
            shown[f"selection_{name}"] = table_of(pl.DataFrame(notes[name]))
    told = {k: v for k, v in notes.items() if not isinstance(v, list)}
    return shown | {"selection": table_of(pl.DataFrame([told]))}


def thinned(snapshot: Snapshot, before: Sequence[Snapshot]) -> Shown:
    """Of the pool: its largest clusters of duplicates, and how leaving the copies out shifted what it consists of."""
    axes = clusters.known_axes(snapshot, before) if snapshot.name == "curated" else []
    if not axes:
        return {}
    largest = clusters.clusters(snapshot).head(FEW).drop("members")
    shifts = [clusters.shift(snapshot, before, a) for a in axes]
    most = max(shifts, key=lambda s: s["shift"].abs().max() or 0.0)
    told = pl.concat(s.head(2) for s in shifts).select("axis", "value", *clusters.SHIFT.names()[4:])
    drawn = plots.bars(named(most.select("value", "after")), most["before"].to_list())
    shown = {f"{most['axis'][0]}_kept_of_before": dg.MetadataValue.md(drawn)} if drawn else {}
    return shown | {"shift": table_of(told), "largest_clusters": table_of(largest)}


def contradicted(snapshot: Snapshot) -> Shown:
    """Of the conflicts: how many pairs there are of each kind, by verdict and rule."""
    if snapshot.name != "conflicts":
        return {}
    by = ["kind", "verdict", "rule"]
    return {"pairs_by_rule": table_of(snapshot.scan().group_by(by).agg(pairs=pl.len()).sort(by).collect())}


def gaps(snapshot: Snapshot) -> Shown:
    """Of the coverage of a set: its matrix, what is missed most on top, and the acquisition plan."""
    most = pl.col("gap").abs()
    told = snapshot.scan().sort(most, "axis", "value", descending=[True, False, False]).collect()
    columns = ["axis", "value", "why", "rows", "n", "share", "low", "high", "least", "most", "replacing", "adding"]
    plan = snapshot.scan("plan").select("axis", "value", "way", "rows", "seeds").collect()
    shown = {"matrix": table_of(told.select(*columns))}
    return shown | ({"plan": table_of(plan)} if plan.height else {})


def reasons(snapshot: Snapshot) -> pl.DataFrame:
    """Counts of the rows left out: `reason`, `rows`, and `rows_only` that no other reason would have left out."""
    if "rejected" in snapshot.schemas:
        no = snapshot.scan("rejected").select("reasons").collect()
        return (
            no.with_columns(alone=pl.col("reasons").list.len() == 1)
            .explode("reasons")
            .group_by(reason="reasons")
            .agg(rows=pl.len(), rows_only=pl.col("alone").sum())
            .drop_nulls()
            .sort(["rows", "reason"], descending=[True, False])
        )
    for table, column in (("quarantine", "reason"), ("set_aside", "status"), ("ledger", "status")):
        if table in snapshot.schemas:
            return (
                snapshot.scan(table)
                .group_by(reason=column)
                .agg(rows=pl.len())
                .sort(["rows", "reason"], descending=[True, False])
                .collect()
            )
    return pl.DataFrame()


def edits(snapshot: Snapshot) -> pl.DataFrame:
    """What each edit did: rows touched, values replaced or texts changed, characters and o200k tokens saved."""
    if "edits" not in snapshot.schemas:
        return pl.DataFrame()
    saved = pl.col("chars_before").cast(pl.Int64) - pl.col("chars_after")
    made = snapshot.scan("edits").group_by("edit")
    told = made.agg(
        rows=pl.col("id").n_unique(),
        count=pl.col("count").sum(),
        characters_saved=saved.sum(),
        tokens_saved=pl.col("tokens_saved").sum(),
    )
    return told.sort("edit").collect()


# --- plots: each a function of the snapshot and its inputs; "" for none


def lines(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """What the lines of the raw files were."""
    return plots.bars([(t, snapshot.count(t)) for t in ("conversations", "feedback", "quarantine")])


def days(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """Rows acquired on each day."""
    return plots.columns([(p.name, n) for p in snapshot.parts if (n := p.tables["rows"].rows)])


def statuses(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """What became of the feedback events."""
    return plots.bars(named(reasons(snapshot)))


def lengths(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """How long the replies are, by the first measure of it that the recipe asks for."""
    for column, unit in (("reply_tokens_o200k", "tokens"), ("reply_words", "words")):
        if column in snapshot.schemas["rows"]:
            return plots.histogram(snapshot.scan().select(column).collect()[column], unit)
    return ""


def copies(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """How many rows there are, and how many of them differ."""
    groups = {"exact_group": "different texts", "near_group": "groups of near copies"}
    asked = [pl.col(c).n_unique() for c in groups if c in snapshot.schemas["rows"]]
    counts = snapshot.scan().select(pl.len(), *asked).collect().row(0, named=True)
    return plots.bars([(groups.get(c, "rows"), n) for c, n in counts.items()])


def filters(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """Rows left after each filter, in the order of the recipe; a row counts for the first filter that rejects it."""
    lost = [(s["step"], s["removed"]) for s in waterfall(snapshot) if s["removed"]]
    return plots.waterfall(running(("conversations", snapshot.count() + snapshot.count("rejected")), lost))


def pool(snapshot: Snapshot, before: Sequence[Snapshot]) -> str:
    """From every conversation to the pool: what the filters and the choice among duplicates took away."""
    screened = ("after the filters", snapshot.count() + snapshot.count("rejected"))
    lost = [(f"no {reason.removesuffix('s').replace('_', ' ')}s", n) for reason, n in named(reasons(snapshot))]
    every = [("conversations", s.count() + s.count("rejected")) for s in before if s.name == "screened"]
    return plots.waterfall([*every, *running(screened, lost)])


def queues(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """Rows that wait, by what brought them to the queue."""
    names = snapshot.scan().group_by("name").len().sort(["len", "name"], descending=[True, False]).collect()
    return plots.bars(named(names))


def pairs(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """How many pairs were looked at, compared exactly and found alike; the most texts with one key."""
    done = (
        snapshot.scan()
        .select(pl.col("candidates", "verified", "pairs").sum(), pl.col("largest_bucket").max())
        .collect()
    )
    return plots.bars([(name.replace("_", " "), int(done[name][0] or 0)) for name in done.columns])


def verdicts(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """Pairs by what they share and what they are to each other."""
    name = pl.concat_str(pl.col("kind").str.replace("same_", ""), "verdict", separator=" ")
    return plots.bars(named(snapshot.scan().group_by(name=name).agg(pairs=pl.len()).sort("name").collect()))


def examples(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """The cells of the mix, made against wanted; of a set without a mix, where the pool went."""
    cells = snapshot.notes.get("cells", ())
    if len(cells) > 1:
        return plots.bars([(cell_of(c["cell"]), c["made"]) for c in cells], [c["wanted"] for c in cells])
    kept = [(side, snapshot.notes.get(side, 0)) for side in ("train", "validation")]
    return plots.bars([*kept, *named(reasons(snapshot))])


def covered(snapshot: Snapshot, _: Sequence[Snapshot]) -> str:
    """Rows of the values whose share is missed most, and as a mark where the bound lies; where none is, of those that have one."""
    bound = pl.coalesce("usage", "least", "most")
    told = snapshot.scan().select("axis", "value", "rows", "n", "gap", bound=bound).drop_nulls("bound").collect()
    missed = told.filter(pl.col("gap") != 0)
    told = (missed if missed.height else told).sort(
        pl.col("gap").abs(), "axis", "value", descending=[True, False, False]
    )
    told = told.head(ROWS - FEW)
    named_rows = [(value if ", " in axis else f"{axis} {value}", float(n)) for axis, value, n, *_ in told.iter_rows()]
    return plots.bars(named_rows, [float(n) * float(b) for n, b in told.select("n", "bound").iter_rows()])


FIGURES: Mapping[str, tuple[str, Figure]] = {
    "raw_files": ("lines_read", lines),
    "conversations": ("acquired_per_day", days),
    "feedback": ("acquired_per_day", days),
    "labels": ("feedback_events", statuses),
    "measurements": ("length_of_replies", lengths),
    "matches": ("pairs", pairs),
    "signals": ("copies", copies),
    "screened": ("left_after_each_filter", filters),
    "conflicts": ("pairs_by_verdict", verdicts),
    "review": ("waiting_for_a_person", queues),
    "curated": ("from_conversations_to_pool", pool),
}
"""Dataset -> the name of its figure, and the figure. Every other dataset is a set."""


def shortened(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most as many steps as a table shows, the last of them standing for the rest, so that the sums stay right."""
    if len(steps) <= ROWS:
        return list(steps)
    rest = steps[ROWS - 1 :]
    sums = {k: sum(s[k] for s in rest) for k in ("removed", "hit", "alone")}
    more = {"step": f"{len(rest)} more", "rows_in": rest[0]["rows_in"], "rows_out": rest[-1]["rows_out"]}
    return [*steps[: ROWS - 1], {k: (sums | more).get(k, steps[0][k]) for k in steps[0]}]


def named(counted: pl.DataFrame) -> list[tuple[str, int]]:
    """The first two columns as labels and counts."""
    return [(str(row[0]), int(row[1])) for row in counted.iter_rows()]


def running(start: tuple[str, int], lost: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """What is left after each loss."""
    left = accumulate((n for _, n in lost), lambda before, n: before - n, initial=start[1])
    return list(zip([start[0], *(name for name, _ in lost)], left, strict=True))


def cell_of(cell: str) -> str:
    """A cell without the names of its axes, which every cell repeats: "language=ko, app=faq" is "ko, faq"."""
    return ", ".join(part.partition("=")[2] or part for part in cell.split(", "))


# --- tables


def table_of(frame: pl.DataFrame) -> dg.MetadataValue:
    """A small table for the UI: at most 12 rows, fractions to four places, lists joined, texts cut at 60 characters."""
    rows = [
        dg.TableRecord({column: _shown(value) for column, value in row.items()})
        for row in frame.head(ROWS).iter_rows(named=True)
    ]
    kinds = {c: "int" if t.is_integer() else "float" if t.is_float() else "string" for c, t in frame.schema.items()}
    return dg.MetadataValue.table(rows, dg.TableSchema([dg.TableColumn(c, kind) for c, kind in kinds.items()]))


def _shown(value: object) -> str | int | float | bool:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, int | bool):
        return value
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value))[:60]


def describe_release(made: Release, released: Sequence[Mapping[str, Any]] = ()) -> Shown:
    """Metadata of one release: where its files lie, how many lines each has, who read them back, what to know of them; what models
    trained on it scored, and on the versions before it (`released`: see `promotion.told`)."""
    files = [{"file": f, "lines": n, "read_back_by": made.readers.get(f, "")} for f, n in made.files.items()]
    shown: Shown = {
        "dagster/row_count": dg.MetadataValue.int(sum(made.counts.values())),
        "version": dg.MetadataValue.text(made.version),
        "path": dg.MetadataValue.path(str(made.path)),
        "newly_written": dg.MetadataValue.bool(made.fresh),
        "current": dg.MetadataValue.bool(any(r["current"] and r["version"] == made.version for r in released)),
        "files": table_of(pl.DataFrame(files)),
    }
    if (manifest := made.path / "manifest.json").exists():
        traits = scorecard(json.loads(manifest.read_bytes())["checks"])
        shown["scorecard"] = table_of(pl.DataFrame([t | {"holds": TOLD[t["holds"]]} for t in traits]))
    if scores := [{"version": r["version"]} | line for r in reversed(released) for line in r["scores"]]:
        shown["scores"] = table_of(pl.DataFrame(scores, infer_schema_length=None))
    if made.remarks:
        shown["remarks"] = dg.MetadataValue.text("\n".join(made.remarks)[:1000])
    return shown


def describe_curriculum(made: ReleasedCurriculum) -> Shown:
    """Metadata of a released curriculum: where it lies, and what each stage is."""
    columns = ("stage", "set", "kind", "rows", "train", "validation", "synthetic")
    return {
        "dagster/row_count": dg.MetadataValue.int(sum(s["rows"] for s in made.stages)),
        "version": dg.MetadataValue.text(made.version),
        "path": dg.MetadataValue.path(str(made.path)),
        "newly_written": dg.MetadataValue.bool(made.fresh),
        "stages": table_of(pl.DataFrame([{c: s[c] for c in columns} for s in made.stages])),
    }


def describe_catalog(catalog: Catalog) -> Shown:
    """Metadata of the catalog: where it lies, what is in it, how to ask it."""
    there = catalog.rows("SELECT table_name AS name FROM information_schema.tables ORDER BY name")
    file = str(catalog.home.catalog_file)
    return {
        "path": dg.MetadataValue.path(file),
        "tables": dg.MetadataValue.text(", ".join(t["name"] for t in there)),
        "ask_it": dg.MetadataValue.text(
            f"python -c \"import duckdb; duckdb.connect('{file}', read_only=True).sql('FROM releases').show()\""
        ),
    }
