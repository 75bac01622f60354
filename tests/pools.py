"""Builders for tests of sets: a curated pool, what people said of it, and the snapshots that hold them."""

import datetime as dt
from typing import Any

import polars as pl

from flywheel.labels import COMPARISONS, LABELS
from flywheel.lineage import Dataset, Derivation, Part, Step, cause
from flywheel.records import CONVERSATIONS, REJECTED, SLIM, conform
from flywheel.storage.snapshots import Snapshot, Store

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
STRINGS = pl.List(pl.String)
GROUPS = {"language": pl.String, "exact_group": pl.String, "near_group": pl.String, "near_similarity": pl.Float64}
POOL = pl.Schema({**{c: CONVERSATIONS[c] for c in SLIM}, **GROUPS, "undesired": STRINGS})
SCREENED = pl.Schema({**CONVERSATIONS, "undesired": STRINGS})


def screened_of(*chats: pl.DataFrame, undesired: dict[str, list[str]] | None = None) -> pl.DataFrame:
    """Conversations as the screen stage leaves them; `undesired` by id."""
    frame = pl.concat(chats)
    reasons = [(undesired or {}).get(i, []) for i in frame["id"]]
    return frame.with_columns(undesired=pl.Series(reasons, dtype=STRINGS))


def pool_of(screened: pl.DataFrame, near: dict[str, str] | None = None) -> pl.DataFrame:
    """The slim columns of conversations; each row is its own duplicate group unless `near` names another."""
    groups = [(near or {}).get(i, i) for i in screened["id"]]
    return conform(
        screened.with_columns(near_group=pl.Series(groups, dtype=pl.String), exact_group="id", language=pl.lit("en")),
        POOL,
    )


def label(id: str, **said: Any) -> dict[str, Any]:
    """One label; what is not given was not said."""
    row = {
        "id": id,
        "thumbs_up": 0,
        "thumbs_down": 0,
        "contradicted": False,
        "ratings": [],
        "signs": [],
        "comments": 0,
        "implicit": 0.0,
    }
    row |= {"regenerated": False, "copied": False, "abandoned": False, "feedback": [f"fb:{id}"], "day": NOON.date()}
    return row | said


def labels_of(*labels: dict[str, Any]) -> pl.DataFrame:
    """A table of labels."""
    return pl.DataFrame([{c: r.get(c) for c in LABELS} for r in labels], schema=LABELS)


def comparison(signal: str, chosen: str | None, rejected: str, **more: Any) -> dict[str, Any]:
    """One comparison, of weight 1, said at noon."""
    row = {"signal": signal, "chosen": chosen, "rejected": rejected, "feedback_id": f"fb:{signal}", "weight": 1.0}
    return row | {"occurred_at": NOON, "day": NOON.date()} | more


def comparisons_of(*comparisons: dict[str, Any]) -> pl.DataFrame:
    """A table of comparisons."""
    return pl.DataFrame([{c: r.get(c) for c in COMPARISONS} for r in comparisons], schema=COMPARISONS)


def snapshot(store: Store, name: str, *days: dict[str, pl.DataFrame]) -> Snapshot:
    """Publish a dataset: one part for each group of tables. Other rows have another derivation."""
    keys = [cause(name, *[f.write_json().encode() for f in tables.values()]) for tables in days]
    parts = [Part(f"day{i}", key, lambda t=tables: t) for i, (key, tables) in enumerate(zip(keys, days, strict=True))]
    schemas = {table: frame.schema for table, frame in days[0].items()}
    steps = tuple(Step(use="rows", parameters={"key": key}) for key in keys)
    return store.publish(Dataset(name, schemas, parts, Derivation(operation=name, steps=steps)))


def published(
    store: Store,
    screened: pl.DataFrame,
    labels: pl.DataFrame | None = None,
    comparisons: pl.DataFrame | None = None,
    near: dict[str, str] | None = None,
    instead: dict[str, str] | None = None,
) -> dict[str, Snapshot]:
    """The snapshots `curated`, `screened` and `labels`. `instead`: removed duplicate -> the row kept in its place."""
    gone = instead or {}
    no = (
        pl.DataFrame([{"id": i, "reasons": ["near_duplicate"], "instead": k} for i, k in gone.items()])
        if gone
        else pl.DataFrame(schema=REJECTED)
    )
    kept = pool_of(screened, near).filter(~pl.col("id").is_in(list(gone)))
    return {
        "screened": snapshot(store, "screened", {"rows": screened, "rejected": pl.DataFrame(schema=REJECTED)}),
        "curated": snapshot(store, "curated", {"rows": kept, "rejected": conform(no, REJECTED)}),
        "labels": snapshot(
            store,
            "labels",
            {
                "rows": labels if labels is not None else labels_of(),
                "comparisons": comparisons if comparisons is not None else comparisons_of(),
            },
        ),
    }
