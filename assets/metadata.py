"""What the Dagster UI shows of a dataset: numbers, small tables, columns and our own plots. Never a word of a log."""

import dagster as dg
import polars as pl

from flywheel import plots
from flywheel.raw import safe_name
from flywheel.snapshots import Snapshot
from flywheel.stages.export import Release

ROWS = 12


def describe(snapshot: Snapshot) -> dict[str, dg.MetadataValue]:
    """Metadata of one snapshot: row count, columns, counts by reason, days, and a plot where people would rather look."""
    rows = snapshot.count()
    shown: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(rows),
        "dagster/column_schema": dg.TableSchemaMetadataValue(columns(snapshot)),
        "version": dg.MetadataValue.text(snapshot.version),
        "derivation": dg.MetadataValue.text(snapshot.key),
        "parts_made": dg.MetadataValue.int(len(snapshot.made)),
        "parts_reused": dg.MetadataValue.int(len(snapshot.parts) - len(snapshot.made)),
    }
    for table in snapshot.schemas:
        if table != "rows":
            shown[f"{table}_rows"] = dg.MetadataValue.int(snapshot.count(table))
    counted = reasons(snapshot)
    if counted.height:
        shown["reasons"] = table_of(counted.head(ROWS))
    if "cells" in snapshot.notes:
        shown["cells"] = table_of(pl.DataFrame(snapshot.notes["cells"]).head(ROWS))
    if drawing := plot(snapshot, counted):
        shown["plot"] = dg.MetadataValue.md(f"![{snapshot.name}]({plots.data_uri(drawing)})")
    if snapshot.made:
        shown["made"] = table_of(pl.DataFrame({"part": list(snapshot.made)}).head(ROWS))
    return shown


def columns(snapshot: Snapshot) -> dg.TableSchema:
    """The columns of the main table."""
    main = snapshot.schemas.get("rows") or next(iter(snapshot.schemas.values()))
    return dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in main.items()])


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


def plot(snapshot: Snapshot, counted: pl.DataFrame) -> str:
    """The plot that says most of this dataset: its cells against the target, its reasons, or its days; "" for none."""
    if cells := snapshot.notes.get("cells"):
        return plots.bars(
            [(safe(c["cell"]), c["made"]) for c in cells],
            targets=[c["wanted"] for c in cells],
            title="Made against wanted",
        )
    if "rejected" in snapshot.schemas and counted.height:
        items = [(safe(r["reason"]), r["rows"]) for r in counted.head(ROWS).iter_rows(named=True)]
        return plots.bars([("kept", snapshot.count()), *items], title="Rows kept and left out")
    days = [(p.name, p.tables["rows"].rows) for p in snapshot.parts if "rows" in p.tables]
    return plots.days(days, title="Rows per day (UTC)") if len(days) > 1 else ""


def safe(label: str) -> str:
    """A label that may stand in a plot: values of axes come from logs."""
    return safe_name(str(label).replace("=", "-").replace(", ", "-"))[:40]


def table_of(frame: pl.DataFrame) -> dg.MetadataValue:
    """A small table for the UI."""
    records = [
        dg.TableRecord({k: v if isinstance(v, int | float | bool) else str(v) for k, v in row.items()})
        for row in frame.iter_rows(named=True)
    ]
    schema = dg.TableSchema(
        [
            dg.TableColumn(c, "int" if t.is_integer() else "float" if t.is_float() else "string")
            for c, t in frame.schema.items()
        ]
    )
    return dg.MetadataValue.table(records, schema)


def describe_release(made: Release) -> dict[str, dg.MetadataValue]:
    """Metadata of one release: where its files lie and how many lines each has."""
    return {
        "dagster/row_count": dg.MetadataValue.int(sum(made.counts.values())),
        "version": dg.MetadataValue.text(made.version),
        "path": dg.MetadataValue.path(str(made.path)),
        "files": table_of(pl.DataFrame({"file": list(made.files), "lines": list(made.files.values())})),
    }
