"""The DuckDB catalog: every table of a home under one roof, for SQL and for lineage. Derived; deleting it loses nothing.

`Catalog.open(home)` reuses HOME/catalog.duckdb when it was built from the very snapshots that are there now, and builds it
anew otherwise: into a temporary file that is then put in place. A client that still has the old file open keeps reading the
old one; where the file cannot be opened or written at all, the same catalog is built in memory. So it never blocks.
"""

import json
import os
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from flywheel import trace
from flywheel.errors import SnapshotDamaged
from flywheel.home import Home
from flywheel.labels import COMPARISONS, LABELS, LEDGER
from flywheel.raw import RawFile
from flywheel.records import CONVERSATIONS, FEEDBACK, QUARANTINE, REJECTED, SET_ASIDE, SLIM, canonical, short_hash
from flywheel.snapshots import Snapshot

FORMAT = "1"
"""Raised when the tables below change, so that a catalog of an older flywheel is rebuilt."""

Connect = Callable[..., duckdb.DuckDBPyConnection]

STRINGS = pl.List(pl.String)
FILES = pl.Schema(
    {
        "file": pl.String,
        "name": pl.String,
        "size": pl.Int64,
        "lines": pl.Int64,
        "accepted": pl.Int64,
        "quarantined": pl.Int64,
    }
)
POOL = pl.Schema({name: CONVERSATIONS[name] for name in SLIM} | {"undesired": STRINGS})
EDITS = pl.Schema(
    {
        "id": pl.String,
        "message": pl.Int32,
        "field": pl.String,
        "edit": pl.String,
        "count": pl.Int32,
        "chars_before": pl.Int32,
        "chars_after": pl.Int32,
    }
)
EXAMPLE: dict[str, Any] = {"set": pl.String, "version": pl.String, "id": pl.String}
EXAMPLES = pl.Schema(
    EXAMPLE
    | {
        "kind": pl.String,
        "parents": STRINGS,
        "feedback": STRINGS,
        "origin": pl.String,
        "signal": pl.String,
        "cell": pl.String,
    }
    | {"group": pl.String, "split": pl.String, "digest": pl.String, "head": pl.Boolean}
)
TEXT = ("messages", "tools", "parameters", "response_extra", "metadata")


@dataclass(frozen=True, slots=True)
class Copied:
    """One table of the catalog that is a table of the newest snapshot of a dataset, without some of its columns."""

    name: str
    dataset: str
    table: str
    schema: pl.Schema
    comment: str
    without: tuple[str, ...] = ()


COPIED = (
    Copied("files", "raw_files", "files", FILES, "Raw files received, with the number of lines read and quarantined."),
    Copied(
        "quarantine",
        "raw_files",
        "quarantine",
        QUARANTINE,
        "Lines that could not be read: where, why, and their raw bytes.",
    ),
    Copied(
        "conversations",
        "conversations",
        "rows",
        CONVERSATIONS,
        "One row for each model call logged; its text is in conversation_text.",
        TEXT,
    ),
    Copied(
        "set_aside",
        "conversations",
        "set_aside",
        SET_ASIDE,
        "Log lines that were read and are no row of their own: repeated, in conflict, waiting.",
    ),
    Copied(
        "feedback",
        "feedback",
        "rows",
        FEEDBACK,
        "One row for each feedback event; what people wrote is in feedback_text.",
        ("text", "correction", "metadata"),
    ),
    Copied(
        "feedback_set_aside",
        "feedback",
        "set_aside",
        SET_ASIDE,
        "Feedback lines that were read and are no event of their own.",
    ),
    Copied(
        "feedback_ledger",
        "labels",
        "ledger",
        LEDGER,
        "What became of each feedback event, and which policy or event decided.",
    ),
    Copied("labels", "labels", "rows", LABELS, "What people said of each conversation, all feedback taken together."),
    Copied("comparisons", "labels", "comparisons", COMPARISONS, "Pairs of replies of which people preferred one."),
    Copied(
        "signals",
        "signals",
        "rows",
        pl.Schema({"id": pl.String, "day": pl.Date}),
        "Every measured signal of every conversation.",
    ),
    Copied(
        "screened",
        "screened",
        "rows",
        pl.Schema(CONVERSATIONS | {"undesired": STRINGS}),
        "Conversations after edits and row filters.",
        (*TEXT, "raw"),
    ),
    Copied(
        "screened_rejected", "screened", "rejected", REJECTED, "Conversations that filters left out, with every reason."
    ),
    Copied("edits", "screened", "edits", EDITS, "Each rewriting of a text: which edit, in which message, how often."),
    Copied(
        "curated", "curated", "rows", POOL, "The pool that sets are made from: the best of each group of duplicates."
    ),
    Copied(
        "curated_rejected",
        "curated",
        "rejected",
        REJECTED,
        "Duplicates, with the conversation kept instead and the similarity to it.",
    ),
)
"""The tables that are copied from the newest snapshots."""

OWN: Mapping[str, tuple[pl.Schema, str]] = {
    "examples": (EXAMPLES, "Examples of every candidate (head) and of every version exported."),
    "example_parents": (pl.Schema(EXAMPLE | {"parent_id": pl.String}), "The conversations each example is made of."),
    "example_rejected": (
        pl.Schema(EXAMPLE | {"parents": STRINGS, "reasons": STRINGS, "head": pl.Boolean}),
        "Conversations and pairs that are no example of a set, with every reason.",
    ),
    "releases": (
        pl.Schema({"set": pl.String, "version": pl.String, "path": pl.String, "current": pl.Boolean, "rank": pl.Int64}),
        "Versions exported to disk, ranked from the oldest (1); `current` is the one released last.",
    ),
    "release_lines": (
        pl.Schema(
            {
                "set": pl.String,
                "version": pl.String,
                "split": pl.String,
                "file": pl.String,
                "line": pl.Int64,
                "example_id": pl.String,
            }
        ),
        "Which line of which exported file holds which example.",
    ),
    "snapshots": (
        pl.Schema(
            {
                "dataset": pl.String,
                "version": pl.String,
                "key": pl.String,
                "operation": pl.String,
                "head": pl.Boolean,
                "watermark": pl.String,
                "engine": pl.String,
            }
        ),
        "Every snapshot ever published: its content (version), its cause (key), what made it.",
    ),
    "derivation_inputs": (
        pl.Schema({"dataset": pl.String, "key": pl.String, "input": pl.String, "input_version": pl.String}),
        "The snapshots each snapshot was made from.",
    ),
    "derivation_steps": (
        pl.Schema(
            {
                "dataset": pl.String,
                "key": pl.String,
                "position": pl.Int64,
                "use": pl.String,
                "version": pl.Int64,
                "parameters": pl.String,
            }
        ),
        "The operators that took part in each snapshot, with version and parameters (JSON).",
    ),
    "parts": (
        pl.Schema(
            {
                "dataset": pl.String,
                "key": pl.String,
                "part": pl.String,
                "part_key": pl.String,
                "table": pl.String,
                "rows": pl.Int64,
                "digest": pl.String,
            }
        ),
        "The stored pieces of the newest snapshots, usually one for each UTC day.",
    ),
    "state": (pl.Schema({"state": pl.String}), "Hash of everything this catalog was built from."),
}
"""The tables that are put together here."""

VIEWS = {
    "contradictions": (
        "SELECT l.feedback_id, l.id, l.kind, l.status, coalesce(l.why, 'stands') AS why, b.thumb, b.thumbs_up, b.thumbs_down, "
        "l.occurred_at, l.received_at FROM feedback_ledger l JOIN labels b USING (id) "
        "WHERE b.contradicted AND l.kind = 'thumb' AND l.status <> 'duplicate' ORDER BY l.id, l.occurred_at, l.feedback_id",
        "Every thumb on a reply that was given both an up and a down, with the policy that decided between them.",
    ),
    "rejections": (
        "SELECT id, 'screened' AS dataset, reasons, instead, similarity FROM screened_rejected UNION ALL "
        "SELECT id, 'curated', reasons, instead, similarity FROM curated_rejected UNION ALL "
        'SELECT id, "set", reasons, NULL, NULL FROM example_rejected WHERE head',
        "Every row left out anywhere, with its reasons.",
    ),
}

COLUMNS = {
    "id": "who it is; the same in every dataset and version",
    "digest": "what it is; changes when its text changes",
    "file": "sha256 of the raw file (in release_lines: path in the export folder)",
    "line": "number of the line, from 1",
    "offset": "bytes from the start of the (decompressed) file",
    "raw": "the raw lines it was read from; of a quarantined line, its bytes",
    "day": "UTC day of the event",
    "reasons": "every reason, not only the first",
    "instead": "id of the row kept in its place",
    "similarity": "to that row, from 0 to 1",
    "undesired": "why it must not be imitated; empty when it may",
    "parents": "ids of the conversations it is made of",
    "version": "digest of the content; the first 12 digits name the export folder",
    "key": "hash of the cause: inputs, operators, parameters",
    "head": "whether it belongs to the newest snapshot",
    "cell": "the cell of the mix it fills",
    "split": "train or validation",
    "occurred_at": "when it happened",
    "received_at": "when it arrived",
    "status": "what became of it",
    "why": "the policy or event that decided",
    "user": "keyed pseudonym",
    "actor": "keyed pseudonym",
    "native_id": "the id the application knows the call by",
    "late": "whether it arrived later than feedback.late_after_hours",
}
"""What columns mean, wherever they occur."""


class Catalog:
    """An open catalog: `rows(sql)` for any question, `why(id)` for one row's history, `diff(...)` for two versions."""

    def __init__(self, home: Home, connection: duckdb.DuckDBPyConnection, state: str, in_memory: bool) -> None:
        self.home = home
        self.state = state
        """Hash of everything it was built from: the same for the same snapshots and exports of a home."""
        self.connection = connection
        self.in_memory = in_memory
        connection.execute("SET TimeZone = 'UTC'")

    @classmethod
    def open(cls, home: Home, connect: Connect = duckdb.connect) -> "Catalog":
        """The catalog of this moment: the file if it is fresh, else rebuilt, else (file in use, disk full) in memory."""
        want = state(home)
        if (ready := _reopen(home, want, connect)) is not None:
            return ready
        temporary = home.path / f".catalog-{uuid.uuid4().hex}.duckdb"
        with suppress(duckdb.Error, OSError, pl.exceptions.PolarsError):
            try:
                with connect(str(temporary)) as building:
                    _build(home, building, want)
                os.replace(temporary, home.catalog_file)
                if (ready := _reopen(home, want, connect)) is not None:
                    return ready
            finally:
                _sweep(home, temporary)
        memory = connect(":memory:")
        try:
            _build(home, memory, want)
        except (duckdb.Error, pl.exceptions.PolarsError) as e:
            raise SnapshotDamaged(
                f"a stored table cannot be read: {e}. To see which, and what to do, run: flywheel doctor --home {home.path}"
            ) from e
        return cls(home, memory, want, in_memory=True)

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The answer to one query, as dictionaries. Cast timestamps to text in the query."""
        cursor = self.connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @cached_property
    def raw_files(self) -> dict[str, RawFile]:
        """Digest -> raw file."""
        return {f.digest: f for f in self.home.raw.files()}

    def why(self, wanted: str) -> dict[str, Any]:
        """`{id, sources, steps, sets}` of a conversation, example or feedback event. Raises `UnknownRow`."""
        return trace.why(self, wanted)

    def diff(self, name: str, old: str, new: str) -> dict[str, Any]:
        """What changed in a set between two versions. Raises `SnapshotMissing` for a set or version there is not."""
        return trace.diff(self.home, name, old, new)


def state(home: Home) -> str:
    """Hash of everything a catalog is built from: every manifest and HEAD, every export, and where the home lies."""
    facts = [FORMAT, str(home.path)]
    root = home.store.root
    for manifest in sorted(p for p in root.glob("*/*.json") if p.parent.name not in ("parts", "staging")):
        facts.append(f"{manifest.parent.name}/{manifest.name}:{manifest.stat().st_mtime_ns}")
    for name in home.store.names():
        facts.append(f"{name}={home.store.head_key(name)}")
    for set_name, folder, current in exported(home):
        facts.append(f"{set_name}/{folder.name}:{(folder / 'manifest.json').stat().st_mtime_ns}:{current}")
    return short_hash(*facts)


def exported(home: Home) -> Iterator[tuple[str, Path, bool]]:
    """Each version of each set on disk, oldest first: set, folder, whether it is current."""
    found = [
        p.parent
        for p in home.exports.glob("*/*/manifest.json")
        if not p.parent.is_symlink() and not p.parent.name.startswith(".")
    ]
    for folder in sorted(found, key=lambda p: (p.parent.name, (p / "manifest.json").stat().st_mtime_ns, p.name)):
        yield folder.parent.name, folder, (folder.parent / "current").resolve() == folder.resolve()


def is_set(snapshot: Snapshot) -> bool:
    """Whether a dataset is a finetuning set."""
    return {"split", "completion", "group"} <= set(snapshot.schemas.get("rows", ()))


def _reopen(home: Home, want: str, connect: Connect) -> "Catalog | None":
    """The catalog file, if it can be opened and is fresh."""
    if not home.catalog_file.exists():
        return None
    try:
        connection = connect(str(home.catalog_file), read_only=True)
    except duckdb.Error:
        return None
    try:
        (found,) = connection.execute("SELECT state FROM state").fetchone() or (None,)
    except duckdb.Error:
        found = None
    if found == want:
        return Catalog(home, connection, want, in_memory=False)
    connection.close()
    return None


def _sweep(home: Home, mine: Path) -> None:
    """Remove this build's temporary file, and those that killed builds left more than an hour ago."""
    for path in home.path.glob(".catalog-*.duckdb*"):
        with suppress(OSError):
            if path.name.startswith(mine.name) or path.stat().st_mtime < time.time() - 3600:
                path.unlink()


def _build(home: Home, connection: duckdb.DuckDBPyConnection, want: str) -> None:
    """Fill an empty database with every table and view."""
    heads = {name: home.store.head(name) for name in home.store.names()}
    with tempfile.TemporaryDirectory(prefix="flywheel-") as folder:
        scratch = Path(folder)
        for wanted in COPIED:
            _copy(connection, wanted, heads.get(wanted.dataset), scratch)
        _text_view(
            connection,
            "conversation_text",
            heads.get("conversations"),
            ("id", *TEXT),
            "The messages and free JSON of each conversation, as logged.",
            scratch,
        )
        _text_view(
            connection,
            "feedback_text",
            heads.get("feedback"),
            ("feedback_id", "text", "correction", "metadata"),
            "What people wrote.",
            scratch,
        )
        for name, frame in _own(home, heads, want).items():
            path = scratch / f"{name}.parquet"
            frame.write_parquet(path)
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM read_parquet(?)', [[str(path)]])
            _comment(connection, "TABLE", name, OWN[name][1])
    for name, (query, comment) in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {query}")
        _comment(connection, "VIEW", name, comment)
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        if column in COLUMNS:
            connection.execute(f'COMMENT ON COLUMN "{table}"."{column}" IS {_quoted(COLUMNS[column])}')


def _copy(connection: duckdb.DuckDBPyConnection, wanted: Copied, head: Snapshot | None, scratch: Path) -> None:
    paths = _paths(head, wanted.table)
    if not paths:
        paths = [str(scratch / f"{wanted.name}.parquet")]
        pl.DataFrame(schema=wanted.schema).write_parquet(paths[0])
    have = pl.scan_parquet(paths[0], glob=False).collect_schema()
    columns = ", ".join(f'"{c}"' for c in have if c not in wanted.without)
    connection.execute(f'CREATE TABLE "{wanted.name}" AS SELECT {columns} FROM read_parquet(?)', [paths])
    _comment(connection, "TABLE", wanted.name, wanted.comment)


def _text_view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    head: Snapshot | None,
    columns: tuple[str, ...],
    comment: str,
    scratch: Path,
) -> None:
    """A view over the Parquet files themselves, so that text is stored once."""
    if paths := _paths(head, "rows"):
        listed = ", ".join(_quoted(p) for p in paths)
        connection.execute(f"CREATE VIEW {name} AS SELECT {', '.join(columns)} FROM read_parquet([{listed}])")
    else:
        connection.execute(
            f"CREATE VIEW {name} AS SELECT {', '.join(f'NULL::VARCHAR AS {c}' for c in columns)} WHERE false"
        )
    _comment(connection, "VIEW", name, comment)


def _paths(head: Snapshot | None, table: str) -> list[str]:
    """An explicit list of files: a pattern would see files of other snapshots."""
    return [str(p.tables[table].path) for p in head.parts if table in p.tables] if head else []


def _own(home: Home, heads: Mapping[str, Snapshot], want: str) -> dict[str, pl.DataFrame]:
    """The tables that are put together from manifests and sets."""
    found: dict[str, list[Any]] = {name: [] for name in OWN}
    found["state"] = [{"state": want}]
    _sets(home, heads, found)
    for manifest in sorted(p for p in home.store.root.glob("*/*.json") if p.parent.name not in ("parts", "staging")):
        body = json.loads(manifest.read_bytes())
        at = {"dataset": body["name"], "key": manifest.stem}
        cause = body["derivation"]
        found["snapshots"].append(
            at
            | {
                "version": body["version"],
                "operation": cause["operation"],
                "watermark": cause["watermark"],
                "engine": cause["engine"],
            }
            | {"head": body["name"] in heads and heads[body["name"]].key == manifest.stem}
        )
        found["derivation_inputs"] += [
            at | {"input": i["name"], "input_version": i["version"]} for i in cause["inputs"]
        ]
        found["derivation_steps"] += [
            at
            | {
                "position": n,
                "use": s["use"],
                "version": s["version"],
                "parameters": canonical(s["parameters"]).decode(),
            }
            for n, s in enumerate(cause["steps"], 1)
        ]
    for name, head in heads.items():
        found["parts"] += [
            {
                "dataset": name,
                "key": head.key,
                "part": p.name,
                "part_key": p.key,
                "table": t,
                "rows": stored.rows,
                "digest": stored.digest,
            }
            for p in head.parts
            for t, stored in p.tables.items()
        ]
    made = {name: _frame(found[name], schema) for name, (schema, _) in OWN.items()}
    parents = (
        made["examples"]
        .select("set", "version", "id", parent_id="parents")
        .explode("parent_id")
        .drop_nulls("parent_id")
    )
    return made | {"example_parents": parents}


def _frame(rows: list[Any], schema: pl.Schema) -> pl.DataFrame:
    """Rows given as dictionaries or as frames, with the columns of `schema`."""
    if rows and isinstance(rows[0], pl.DataFrame):
        frames: list[pl.DataFrame] = [r.select(pl.col(c).cast(t) for c, t in schema.items()) for r in rows]
        return pl.concat(frames)
    return pl.DataFrame([{c: r[c] for c in schema} for r in rows], schema=schema)


def _sets(home: Home, heads: Mapping[str, Snapshot], found: dict[str, list[Any]]) -> None:
    """Examples of the candidates and of what lies in the export folder, and the lines they lie on."""
    for name, snapshot in heads.items():
        if is_set(snapshot):
            at = _marks(name, snapshot.version, head=True)
            found["examples"].append(snapshot.scan().with_columns(at).select(list(EXAMPLES)).collect())
            if "rejected" in snapshot.schemas:
                found["example_rejected"].append(snapshot.scan("rejected").with_columns(at).collect())
    ranks: Counter[str] = Counter()
    for name, folder, current in exported(home):
        ranks[name] += 1
        found["releases"].append(
            {"set": name, "version": folder.name, "path": str(folder), "current": current, "rank": ranks[name]}
        )
        found["release_lines"] += trace.exported_lines(name, folder)
        candidate = heads.get(name)
        if (folder / "rows.parquet").exists() and not (candidate and candidate.version.startswith(folder.name)):
            rows = pl.scan_parquet(folder / "rows.parquet", glob=False).with_columns(
                _marks(name, folder.name, head=False)
            )
            found["examples"].append(rows.select(list(EXAMPLES)).collect())


def _marks(name: str, version: str, head: bool) -> list[pl.Expr]:
    return [pl.lit(name).alias("set"), pl.lit(version).alias("version"), pl.lit(head).alias("head")]


def _comment(connection: duckdb.DuckDBPyConnection, what: str, name: str, text: str) -> None:
    connection.execute(f'COMMENT ON {what} "{name}" IS {_quoted(text)}')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
