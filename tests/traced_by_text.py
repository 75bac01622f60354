"""What `flywheel trace` says, found the slow way: by the texts of the tables and views themselves, without a number.

The other side of the tests of `flywheel.audit.forward`: no table of `flywheel.storage.lineage_tables` is read here. The
`lines` of an `Origin` are a condition on `lines`, its `calls` and `events` queries that give ids.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flywheel.audit.operators import Found, labelled, uses
from flywheel.audit.origins import Origin, files_named
from flywheel.audit.trace import named
from flywheel.logs.identities import pseudonym
from flywheel.storage.catalog import Catalog

Fact = dict[str, Any]


NO_EVENT = "SELECT NULL WHERE false"
OF_CALLS = "kind = 'log' AND id IN (FROM traced_calls)"


def forward(catalog: Catalog, by: str, value: str, limit: int) -> Fact:
    origin = resolve(catalog, by, value)
    files = _files(catalog, origin)
    counts = {
        "lines": sum(f["lines"] for f in files),
        "calls": _one(catalog, "SELECT count(*) FROM traced_calls"),
        "events": _one(catalog, "SELECT count(*) FROM traced_events WHERE own"),
        "events_about": _one(catalog, "SELECT count(*) FROM traced_events WHERE NOT own"),
        "examples": _one(catalog, "SELECT count(*) FROM traced_examples"),
    }
    sets = _sets(catalog, origin)
    counts["set_versions"] = len(sets)
    return {
        "by": origin.by,
        "value": origin.value,
        "counts": counts,
        "uses": [u.told() for u in origin.uses],
        "files": files,
        "stands": _stands(catalog),
        "edits": catalog.rows(
            'SELECT edit, count(DISTINCT id) AS calls, sum("count")::BIGINT AS count FROM edits SEMI JOIN traced_calls USING (id) GROUP BY edit ORDER BY edit'
        ),
        "sets": sets,
        "lines": reached_lines(catalog, origin, limit),
        "calls": reached_calls(catalog, limit),
        "events": reached_events(catalog, limit),
        "examples": reached_examples(catalog, limit),
    }


def reached(catalog: Catalog, by: str, value: str) -> dict[str, list[Fact]]:
    origin = resolve(catalog, by, value)
    return {
        "lines": reached_lines(catalog, origin),
        "calls": reached_calls(catalog),
        "events": reached_events(catalog),
        "examples": reached_examples(catalog),
    }


# --- what is traced


def resolve(catalog: Catalog, by: str, value: str) -> Origin:
    """What is traced, in the temporary tables of the catalog. Raises `UnknownRow`."""
    origin = BY[by](catalog, value)
    _table(catalog, "traced_calls", f"SELECT DISTINCT id FROM ({origin.calls}) AS c(id) WHERE id IS NOT NULL", origin)
    _descend(catalog)
    _table(
        catalog,
        "traced_events",
        f"SELECT id, bool_or(own) AS own FROM (SELECT id, true AS own FROM ({origin.events}) AS e(id) UNION ALL "
        "SELECT feedback_id, false FROM feedback_ledger WHERE id IN (FROM traced_calls)) WHERE id IS NOT NULL GROUP BY id",
        origin,
    )
    linked = (
        "SELECT DISTINCT set, version, id FROM example_links WHERE (kind = 'conversation' AND of IN (FROM traced_calls)) "
        "OR (kind = 'feedback' AND of IN (SELECT id FROM traced_events WHERE own))"
    )
    _table(catalog, "traced_links", f"SELECT * FROM ({linked}) ANTI JOIN traced_calls USING (id)")
    columns = "set, version, id, split, origin, signal, head"
    _table(
        catalog,
        "traced_examples",
        f"WITH e AS (SELECT {columns}, false AS superseded FROM examples UNION ALL SELECT {columns}, true FROM superseded_examples) "
        "SELECT * FROM e SEMI JOIN traced_calls USING (id) UNION ALL SELECT * FROM e SEMI JOIN traced_links USING (set, version, id)",
    )
    return origin


def _table(catalog: Catalog, name: str, query: str, origin: Origin | None = None) -> None:
    catalog.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}", _used(query, origin))


def _used(query: str, origin: Origin | None) -> dict[str, Any]:
    """The parameters that a query names; DuckDB refuses others."""
    named = set(re.findall(r"\$(\w+)", query))
    return {k: v for k, v in origin.parameters.items() if k in named} if origin else {}


def _among(column: str, name: str, values: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Condition that a column is one of these, and its parameters: single ones, by which files of other values are passed over."""
    named = {f"{name}{n}": v for n, v in enumerate(values)}
    return f"{column} IN ({', '.join(f'${k}' for k in named)})", named


def _descend(catalog: Catalog) -> None:
    """Add the rows that were made of traced rows, through any number of derivations."""
    child = "SELECT id, unnest(parents) AS parent FROM conversations WHERE len(parents) > 0"
    _table(catalog, "traced_children", child)
    if _one(catalog, "SELECT count(*) FROM traced_children"):
        _table(
            catalog,
            "traced_calls",
            "WITH RECURSIVE r(id) AS (FROM traced_calls UNION SELECT c.id FROM r JOIN traced_children c ON c.parent = r.id) FROM r",
        )


def _user(catalog: Catalog, value: str) -> Origin:
    """A user or actor, by pseudonym or by the application's own id; with those that are the same person."""
    name = value if value.startswith("u_") and len(value) == 18 else pseudonym(value, catalog.home.secret)
    same = catalog.rows(
        "SELECT DISTINCT b.user FROM identities a JOIN identities b USING (person) WHERE a.user = ?", [name]
    )
    users = sorted({name, *(r["user"] for r in same)})
    here, at = _among('"user"', "user", users)
    acted, _ = _among("actor", "user", users)
    calls, events = (
        f"SELECT id FROM conversations WHERE {here}",
        f"SELECT feedback_id FROM feedback WHERE {acted}",
    )
    return Origin("user", ", ".join(users), here, calls, events, at)


def _file(catalog: Catalog, value: str) -> Origin:
    """A raw file, by digest (or its start), name or path."""
    found = files_named(catalog, value)
    here, at = _among("file", "file", found)
    stands, _ = _among("r.file", "file", found)
    calls, events = (
        f"SELECT {id} FROM (SELECT {id}, unnest(raw) AS r FROM {table}) WHERE {stands}"
        for id, table in (("id", "conversations"), ("feedback_id", "feedback"))
    )
    return Origin("file", ", ".join(found), here, calls, events, at)


def _line(catalog: Catalog, value: str) -> Origin:
    """A line of a raw file, FILE:N."""
    file, _, number = value.rpartition(":")
    among, files = _among("file", "file", files_named(catalog, file))
    at, here = {**files, "line": int(number)}, f"{among} AND line = $line"
    kept = f"SELECT coalesce(a.kept_id, l.id) FROM lines l LEFT JOIN {{}} a USING (file, line, id) WHERE {here} AND kind = '{{}}' AND coalesce(a.status, 'repeated') = 'repeated'"
    return Origin(
        "line",
        f"{file}:{number}",
        here,
        kept.format("set_aside", "log"),
        kept.format("feedback_set_aside", "feedback"),
        at,
    )


def _column(by: str, calls: str, events: str | None = None) -> Callable[[Catalog, str], Origin]:
    """What is a column of conversations, and of feedback where it is one of both."""

    def origin(_: Catalog, value: str) -> Origin:
        told = f'SELECT feedback_id FROM feedback WHERE "{events}" = $value' if events else NO_EVENT
        here = f'"{calls}" = $value'
        return Origin(by, value, here, f"SELECT id FROM conversations WHERE {here}", told, {"value": value})

    return origin


def _row(catalog: Catalog, value: str) -> Origin:
    """One row, by any id that `flywheel why` takes."""
    kind, id, parents = named(catalog, value)
    at = {"calls": parents, "events": [id] if kind == "feedback" else []}
    if kind == "feedback":
        here = "kind = 'feedback' AND list_contains($events, id)"
        return Origin("id", id, here, NO_EVENT, "SELECT unnest($events)", at)
    return Origin("id", id, OF_CALLS, "SELECT unnest($calls)", NO_EVENT, at)


def changed_by(found: Found) -> str:
    """Query that gives the conversations an operator changed or left out in the newest snapshots."""
    if not found.newest:
        return "SELECT NULL WHERE false"
    left = " UNION ".join(
        f"SELECT id FROM {table} WHERE list_has_any({column}, $reasons)"
        for table, column in (
            ("screened_rejected", "reasons"),
            ("curated_rejected", "reasons"),
            ("screened", "undesired"),
        )
    )
    name = found.name.replace("'", "''")
    read = f"SELECT id FROM conversations WHERE source = '{name}'"
    return f"SELECT id FROM edits WHERE edit = '{name}' UNION {left} UNION {read}"


def _operator(catalog: Catalog, value: str) -> Origin:
    """An operator, NAME or NAME@VERSION: the rows it changed or left out, and whatever was made with it."""
    found = uses(catalog, value)
    return Origin("operator", value, OF_CALLS, changed_by(found), NO_EVENT, {"reasons": found.reasons}, found.uses)


def _guideline(catalog: Catalog, value: str) -> Origin:
    """A guideline, NAME or NAME@VERSION, as the events made by it name it; with the calls whose labels they had a part in."""
    given = "json_extract_string(metadata, '$.guideline') || coalesce('@' || json_extract_string(metadata, '$.guideline_version'), '')"
    events = (
        f"SELECT feedback_id FROM (SELECT feedback_id, {given} AS given FROM feedback_text WHERE contains(metadata, 'guideline')) "
        "WHERE given = $value OR starts_with(given, $value || '@')"
    )
    calls = f"SELECT id FROM feedback_ledger WHERE status IN ('applied', 'contradicted') AND feedback_id IN ({events})"
    lines = "kind = 'feedback' AND id IN (SELECT id FROM traced_events WHERE own)"
    return Origin("guideline", value, lines, calls, events, {"value": value}, labelled(catalog, value))


BY: Mapping[str, Callable[[Catalog, str], Origin]] = {
    "user": _user,
    "file": _file,
    "line": _line,
    "source": _column("source", "source", "source"),
    "conversation": _column("conversation", "conversation_id", "conversation_id"),
    "model": _column("model", "model"),
    "app": _column("app", "app"),
    "operator": _operator,
    "guideline": _guideline,
    "id": _row,
}
"""What can be traced, and how it is found. A conversation is a session, with all its turns."""


# --- where it went


def _one(catalog: Catalog, query: str, origin: Origin | None = None) -> int:
    row = catalog.connection.execute(query, _used(query, origin)).fetchone()
    return int(row[0]) if row else 0


def _files(catalog: Catalog, origin: Origin) -> list[Fact]:
    """Raw files that hold lines of it."""
    query = f"SELECT file, kind, count(*) AS lines FROM lines WHERE {origin.lines} GROUP BY ALL"
    found = _named(catalog, catalog.rows(query, _used(query, origin)))
    return sorted(found, key=lambda f: (f["kind"], f["name"] or "", f["file"]))


def _named(catalog: Catalog, rows: Iterable[Fact]) -> list[Fact]:
    """Rows that speak of raw files, with the names of these."""
    known = catalog.raw_files
    return [{"name": known[r["file"]].name if r["file"] in known else None} | r for r in rows]


def _stands(catalog: Catalog) -> list[Fact]:
    """Of the conversations: how many are in the pool, and how many were left out by what and why."""
    pool = _one(catalog, "SELECT count(*) FROM curated SEMI JOIN traced_calls USING (id)")
    left = [
        f"SELECT '{d}' AS dataset, unnest(reasons) AS reason FROM {d}_rejected SEMI JOIN traced_calls USING (id)"
        for d in ("screened", "curated")
    ]
    query = f"SELECT dataset, reason, count(*) AS calls FROM ({' UNION ALL '.join(left)}) GROUP BY ALL ORDER BY dataset DESC, calls DESC, reason"
    kept = [{"dataset": "curated", "reason": None, "calls": pool}] if pool else []
    return kept + catalog.rows(query)


def _sets(catalog: Catalog, origin: Origin) -> list[Fact]:
    """Every version of every set that holds some of it, or was made with it: how many of its examples, and of how many."""
    made = {(u.dataset, u.version) for u in origin.uses}
    every = "SELECT set, version, head, false AS superseded, count(*) AS rows FROM examples GROUP BY ALL UNION ALL SELECT set, version, head, true, count(*) FROM superseded_examples GROUP BY ALL"
    found = catalog.rows(
        "SELECT v.set, v.version, v.rows, coalesce(t.examples, 0) AS examples, coalesce(t.train, 0) AS train, coalesce(t.validation, 0) AS validation, "
        "v.head AS candidate, v.superseded, r.version IS NOT NULL AS released, coalesce(r.current, false) AS current, r.path "
        f"FROM ({every}) v LEFT JOIN (SELECT set, version, count(*) AS examples, count(*) FILTER (split = 'train') AS train, "
        "count(*) FILTER (split = 'validation') AS validation FROM traced_examples GROUP BY ALL) t USING (set, version) "
        "LEFT JOIN releases r ON r.set = v.set AND starts_with(v.version, r.version) ORDER BY v.set, r.rank NULLS LAST, v.version"
    )
    starts = {(name, version[:12]) for name, version in made}
    return [
        s | {"version": s["version"][:12], "made_with": (s["set"], s["version"][:12]) in starts}
        for s in found
        if s["examples"] or (s["set"], s["version"][:12]) in starts
    ]


def reached_lines(catalog: Catalog, origin: Origin, limit: int | None = None) -> list[Fact]:
    """The raw lines: where the bytes of each are, and what became of it."""
    query = (
        f'WITH l AS (SELECT kind, id, file, line, "offset" AS byte_offset, length, line_digest FROM lines WHERE {origin.lines} ORDER BY file, line, id {_some(limit)}) '
        "SELECT l.*, coalesce(a.status, 'row') AS stands, a.kept_id FROM l LEFT JOIN "
        "(FROM set_aside UNION ALL FROM feedback_set_aside) a USING (id, file, line) ORDER BY l.file, l.line, l.id"
    )
    return _named(catalog, catalog.rows(query, _used(query, origin)))


def reached_calls(catalog: Catalog, limit: int | None = None) -> list[Fact]:
    """The conversations: where each stands, and what is kept in its place."""
    query = (
        f"WITH t AS (FROM traced_calls ORDER BY id {_some(limit)}) SELECT t.id, c.day::VARCHAR AS day, c.digest, "
        "CASE WHEN s.id IS NOT NULL OR d.id IS NOT NULL THEN 'left out' WHEN p.id IS NOT NULL THEN 'in the pool' ELSE 'not screened yet' END AS stands, "
        "coalesce(s.reasons, d.reasons, []) AS reasons, d.instead, d.similarity FROM t LEFT JOIN conversations c USING (id) LEFT JOIN screened_rejected s USING (id) "
        "LEFT JOIN curated_rejected d USING (id) LEFT JOIN (SELECT id FROM curated SEMI JOIN t USING (id)) p USING (id) ORDER BY t.id"
    )
    return catalog.rows(query)


def reached_events(catalog: Catalog, limit: int | None = None) -> list[Fact]:
    """The feedback: what each event is, of which conversation, and whether it is the traced one's own."""
    query = (
        f"WITH t AS (FROM traced_events ORDER BY id {_some(limit)}) SELECT t.id AS feedback_id, t.own, f.kind, f.actor_kind, f.actor, l.id AS of, l.status, l.why "
        "FROM t LEFT JOIN feedback f ON f.feedback_id = t.id LEFT JOIN feedback_ledger l ON l.feedback_id = t.id ORDER BY t.id"
    )
    return catalog.rows(query)


def reached_examples(catalog: Catalog, limit: int | None = None) -> list[Fact]:
    """The examples of every version, with the file and line of each release they lie in."""
    query = (
        f"WITH t AS (FROM traced_examples ORDER BY set, version, id {_some(limit)}) SELECT t.set, t.version[:12] AS version, t.id AS example, t.split, t.origin, t.signal, "
        "t.head AS candidate, t.superseded, l.file, l.line, coalesce(r.current, false) AS current, r.path FROM t LEFT JOIN releases r ON r.set = t.set AND starts_with(t.version, r.version) "
        "LEFT JOIN release_lines l ON l.set = r.set AND l.version = r.version AND l.example_id = t.id ORDER BY t.set, r.rank NULLS LAST, t.version, t.id, l.file"
    )
    return catalog.rows(query)


def _some(limit: int | None) -> str:
    return "" if limit is None else f"LIMIT {int(limit)}"
