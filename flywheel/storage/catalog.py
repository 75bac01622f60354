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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from flywheel.audit import difference, trace
from flywheel.errors import SnapshotDamaged
from flywheel.home import Home
from flywheel.logs.raw import RawFile
from flywheel.records import canonical, short_hash
from flywheel.storage.catalog_tables import COLUMNS, COPIED, COVERED, FORMAT, OWN, SETS, VIEWS, Copied
from flywheel.storage.lineage_tables import LINEAGE, queries
from flywheel.storage.releases import exported, exported_lines, is_set
from flywheel.storage.snapshots import Snapshot

Connect = Callable[..., duckdb.DuckDBPyConnection]


class Catalog:
    """An open catalog: `rows(sql)` for any question, `why(id)` for one row's history, `diff(...)` for two versions."""

    def __init__(self, home: Home, connection: duckdb.DuckDBPyConnection, state: str, in_memory: bool) -> None:
        self.home = home
        self.state = state
        """Hash of what it holds: the same for the same snapshots and exports, wherever they lie and whenever they were made."""
        self.connection = connection
        self.in_memory = in_memory
        connection.execute("SET TimeZone = 'UTC'")

    @classmethod
    def open(cls, home: Home, connect: Connect = duckdb.connect) -> "Catalog":
        """The catalog of this moment: the file if it is fresh, else rebuilt, else (file in use, disk full) in memory."""
        want = (state(home), place(home))
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
        return cls(home, memory, want[0], in_memory=True)

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """The answer to one query, as dictionaries. Cast timestamps to text in the query."""
        cursor = self.connection.execute(sql, parameters if isinstance(parameters, Mapping) else list(parameters))
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
        return difference.diff(self.home, name, old, new)


def texts_of(file: Path) -> Iterator[pl.Series]:
    """Every text, in lists too, of every table that a DuckDB file itself holds; views are over files of their own."""
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            "SELECT c.table_name, string_agg('\"' || c.column_name || '\"::VARCHAR', ', ') FROM duckdb_columns() c "
            "JOIN duckdb_tables() t USING (table_oid) WHERE NOT t.internal AND contains(c.data_type, 'VARCHAR') GROUP BY ALL"
        ).fetchall()
        for name, texts in columns:
            cursor = connection.execute(f'SELECT {texts} FROM "{name}"')
            while rows := cursor.fetchmany(1 << 15):
                yield pl.Series([value for row in rows for value in row], dtype=pl.String).drop_nulls()


def state(home: Home) -> str:
    """Hash of what a catalog holds: every manifest by the hash of its cause, every HEAD, every export in the order of release."""
    heads = [f"{name}={home.store.head_key(name)}" for name in home.store.names()]
    exports = [f"{e.set}/{e.version}:{e.rank}:{e.current}" for e in exported(home)]
    return short_hash(FORMAT, *[f"{m.parent.name}/{m.stem}" for m in _manifests(home)], *heads, *exports)


def place(home: Home) -> str:
    """Hash of where the files behind a catalog lie and when they were written: text is read from them, so both matter."""
    files = [*_manifests(home), *(e.folder / "manifest.json" for e in exported(home))]
    return short_hash(str(home.path), *[f"{f}:{f.stat().st_mtime_ns}" for f in files])


def _manifests(home: Home) -> list[Path]:
    """Every manifest of every dataset, in a fixed order."""
    return sorted(p for p in home.store.root.glob("*/*.json") if p.parent.name not in ("parts", "staging"))


def _reopen(home: Home, want: tuple[str, str], connect: Connect) -> "Catalog | None":
    """The catalog file, if it can be opened and is fresh."""
    if not home.catalog_file.exists():
        return None
    try:
        connection = connect(str(home.catalog_file), read_only=True)
    except duckdb.Error:
        return None
    try:
        found = connection.execute("SELECT state, place FROM state").fetchone()
    except duckdb.Error:
        found = None
    if found == want:
        return Catalog(home, connection, want[0], in_memory=False)
    connection.close()
    return None


def _sweep(home: Home, mine: Path) -> None:
    """Remove this build's temporary file, and those that killed builds left more than an hour ago."""
    for path in home.path.glob(".catalog-*.duckdb*"):
        with suppress(OSError):
            if path.name.startswith(mine.name) or path.stat().st_mtime < time.time() - 3600:
                path.unlink()


def _build(home: Home, connection: duckdb.DuckDBPyConnection, want: tuple[str, str]) -> None:
    """Fill an empty database with every table and view."""
    heads = {name: home.store.head(name) for name in home.store.names()}
    with tempfile.TemporaryDirectory(prefix="flywheel-") as folder:
        scratch = Path(folder)
        for wanted in COPIED:
            _copy(connection, wanted, heads.get(wanted.dataset), scratch)
        sets = _of_sets(home, heads)
        for name, pieces in sets.items():
            _union(connection, name, pieces)
        for name, frame in _own(home, heads, want, list(_links(sets))).items():
            path = scratch / f"{name}.parquet"
            frame.write_parquet(path)
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM read_parquet(?)', [[str(path)]])
            _comment(connection, "TABLE", name, OWN[name][1])
    _number(connection, heads.get("raw_files"))
    for name, (query, comment) in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {query}")
        _comment(connection, "VIEW", name, comment)
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        meanings = LINEAGE[table].columns if table in LINEAGE else COLUMNS
        if column in meanings:
            connection.execute(f'COMMENT ON COLUMN "{table}"."{column}" IS {_quoted(meanings[column])}')


def _number(connection: duckdb.DuckDBPyConnection, raw_files: Snapshot | None) -> None:
    """Fill the tables by which something is traced; each needs those before it."""
    read, stored = {}, []
    for view, table in (("calls_read", "conversations"), ("events_read", "feedback")):
        paths = _paths(raw_files, table)
        read[view] = (
            f"(SELECT *, filename FROM {_files(paths)})" if paths else f"(SELECT *, '' AS filename FROM {view})"
        )
        stored += paths
    for name, query in queries(read, f"[{', '.join(_quoted(p) for p in stored)}]::VARCHAR[]").items():
        connection.execute(f'CREATE TABLE "{name}" AS {query}')
        _comment(connection, "TABLE", name, LINEAGE[name].comment)


def _copy(connection: duckdb.DuckDBPyConnection, wanted: Copied, head: Snapshot | None, scratch: Path) -> None:
    """A view over the Parquet files themselves: what is stored is stored once. A table only where rows are added up."""
    paths = _paths(head, wanted.table)
    what = "TABLE" if wanted.sums or not paths else "VIEW"
    if not paths:
        paths = [str(scratch / f"{wanted.name}.parquet")]
        pl.DataFrame(schema=wanted.schema).write_parquet(paths[0])
    have = pl.scan_parquet(paths[0], glob=False).collect_schema()
    kept = [c for c in have if c not in wanted.without and (not wanted.only or c in wanted.only)]
    columns = ", ".join(f'sum("{c}")::BIGINT AS "{c}"' if c in wanted.sums else f'"{c}"' for c in kept)
    grouped = " GROUP BY ALL" if wanted.sums else ""
    connection.execute(f'CREATE {what} "{wanted.name}" AS SELECT {columns} FROM {_files(paths)}{grouped}')
    _comment(connection, what, wanted.name, wanted.comment)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some Parquet files of one version of a set."""

    paths: Sequence[str]
    set: str
    version: str
    head: bool


def _of_sets(home: Home, heads: Mapping[str, Snapshot]) -> dict[str, list[_Piece]]:
    """Where the examples of the candidates, and of what lies in the export folder, are stored."""
    tables = {"examples": "rows", "example_rejected": "rejected"}
    tables |= {"example_selection": "selection", "example_copies": "copies"}
    found: dict[str, list[_Piece]] = {name: [] for name in SETS}
    for name, snapshot in heads.items():
        for view, table in tables.items():
            if is_set(snapshot) and (paths := _paths(snapshot, table)):
                found[view].append(_Piece(paths, name, snapshot.version, head=True))
        for view, table in COVERED.items():
            if snapshot.derivation.operation == "cover" and (paths := _paths(snapshot, table)):
                of = snapshot.derivation.inputs[0]
                found[view].append(_Piece(paths, of.name, of.version, head=True))
    for e in exported(home):
        candidate, rows = heads.get(e.set), e.folder / "rows.parquet"
        if rows.exists() and not (candidate and candidate.version.startswith(e.version)):
            found["examples"].append(_Piece([str(rows)], e.set, e.version, head=False))
    found["superseded_examples"] = _superseded(home, heads, found["examples"])
    return found


def _superseded(home: Home, heads: Mapping[str, Snapshot], shown: Sequence[_Piece]) -> list[_Piece]:
    """Every version of a set that is stored, but for those that are shown already."""
    known = {(p.set, p.version[:12]) for p in shown}
    found = []
    for name in (n for n, head in heads.items() if is_set(head)):
        for version in sorted({m.version for m in home.store.history(name)}):
            if (name, version[:12]) not in known:
                with suppress(SnapshotDamaged):  # it lost a part, which is no reason not to show the others
                    stored = home.store.find(name, version)
                    found += [_Piece(_paths(stored, "rows"), name, version, head=False)] if stored else []
    return found


def _links(pieces: Mapping[str, Sequence[_Piece]]) -> Iterator[pl.DataFrame]:
    """What examples, and those that were refused, are made of besides the conversation whose id they have."""
    named = {"examples": "conversation", "superseded_examples": "conversation", "example_rejected": "refused"}
    for view, kind in named.items():
        for piece in pieces[view]:
            rows = pl.scan_parquet(list(piece.paths), glob=False)
            further = (pl.col("parents").list.len() != 1) | (pl.col("parents").list.first() != pl.col("id"))
            found = [rows.filter(further).select("id", of="parents", kind=pl.lit(kind))]
            if kind == "conversation":
                spoken = rows.filter(pl.col("feedback").list.len() > 0)
                found.append(spoken.select("id", of="feedback", kind=pl.lit("feedback")))
            links = pl.concat(found).explode("of").drop_nulls("of")
            at = {"set": pl.lit(piece.set), "version": pl.lit(piece.version)}
            yield links.select(**at, id="id", of="of", kind="kind").collect()


def _union(connection: duckdb.DuckDBPyConnection, name: str, pieces: Sequence[_Piece]) -> None:
    """A view over what several versions of sets stored of one kind."""
    schema, comment = SETS[name]
    stored = [c for c in schema if c not in ("set", "version", "head")]
    none = {c: f'NULL::{_sql_type(schema[c])} AS "{c}"' for c in stored}

    def columns(piece: _Piece) -> str:  # an earlier flywheel did not know all of them
        have = pl.scan_parquet(piece.paths[0], glob=False).collect_schema()
        return ", ".join(f'"{c}"' if c in have else none[c] for c in stored)

    parts = [
        f'SELECT {_quoted(p.set)} AS "set", {_quoted(p.version)} AS version, {columns(p)}, {p.head} AS head FROM {_files(p.paths)}'
        for p in pieces
    ]
    nothing = ", ".join(none.values())
    parts = parts or [f"SELECT '' AS \"set\", '' AS version, {nothing}, false AS head WHERE false"]
    connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL ".join(parts)}')
    _comment(connection, "VIEW", name, comment)


def _sql_type(dtype: Any) -> str:
    """DuckDB's name of a Polars type."""
    if isinstance(dtype, pl.List):
        return f"{_sql_type(dtype.inner)}[]"
    return {pl.String: "VARCHAR", pl.Boolean: "BOOLEAN", pl.Int64: "BIGINT", pl.Float64: "DOUBLE"}[dtype]


def _files(paths: Sequence[str]) -> str:
    """Files as a table in SQL: an explicit list, for a pattern would see files of other snapshots."""
    return f"read_parquet([{', '.join(_quoted(p) for p in paths)}])"


def _paths(head: Snapshot | None, table: str) -> list[str]:
    """The files of one table of a snapshot."""
    return [str(p.tables[table].path) for p in head.parts if table in p.tables] if head else []


def _own(home: Home, heads: Mapping[str, Snapshot], want: tuple[str, str], links: list[Any]) -> dict[str, pl.DataFrame]:
    """The tables that are put together from manifests and sets."""
    found: dict[str, list[Any]] = {name: [] for name in OWN} | {"example_links": links}
    found["state"] = [{"state": want[0], "place": want[1]}]
    found["identities"] = _identities(heads.get("signals"), heads.get("conversations"))
    _releases(home, found)
    for manifest in _manifests(home):
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
    return {name: _frame(found[name], schema) for name, (schema, _) in OWN.items()}


def _identities(signals: Snapshot | None, conversations: Snapshot | None) -> list[pl.DataFrame]:
    """Users with the person they are, where that was asked for."""
    if signals is None or conversations is None or "person" not in signals.schemas["rows"]:
        return []
    users = conversations.scan().select("id", "user").join(signals.scan().select("id", "person"), on="id", how="left")
    counted = users.filter(pl.col("person").is_not_null()).group_by("user", "person").agg(rows=pl.len())
    return [counted.sort("person", "user").collect()]


def _frame(rows: list[Any], schema: pl.Schema) -> pl.DataFrame:
    """Rows given as dictionaries or as frames, with the columns of `schema`."""
    if rows and isinstance(rows[0], pl.DataFrame):
        frames: list[pl.DataFrame] = [r.select(pl.col(c).cast(t) for c, t in schema.items()) for r in rows]
        return pl.concat(frames)
    return pl.DataFrame([{c: r[c] for c in schema} for r in rows], schema=schema)


def _releases(home: Home, found: dict[str, list[Any]]) -> None:
    """What lies in the export folder, and the lines the examples lie on."""
    for e in exported(home):
        found["releases"].append(
            {"set": e.set, "version": e.version, "path": str(e.folder), "current": e.current, "rank": e.rank}
        )
        found["release_lines"].append(exported_lines(e))


def _comment(connection: duckdb.DuckDBPyConnection, what: str, name: str, text: str) -> None:
    connection.execute(f'COMMENT ON {what} "{name}" IS {_quoted(text)}')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
