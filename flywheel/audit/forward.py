"""Lineage forward: from a log line, a user, a file, a model … to every row of every version of every set made of it.

What is traced is resolved into temporary tables of the open catalog that hold numbers: `traced_calls`, `traced_events`,
`traced_examples`. Each answer is a query over them; texts are looked up for the rows that are listed.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flywheel.audit.origins import BY, Origin
from flywheel.errors import UnknownRow, nearest

if TYPE_CHECKING:
    from flywheel.storage.catalog import Catalog

Fact = dict[str, Any]
SHOWN = 20
"""Rows of each kind that are listed; counts are always of all."""
STANDS = "pool, screened, curated"
KIND = "CASE WHEN l.feedback THEN 'feedback' ELSE 'log' END"


def forward(catalog: "Catalog", by: str, value: str, limit: int = SHOWN) -> Fact:
    """Where something went: `{by, value, counts, files, stands, edits, sets, lines, calls, events, examples}`.

    `by`: one of `BY`. `counts` are of everything; of lines, calls, events and examples at most `limit` are listed, in the order
    of their ids; an example once for each file of an export that it lies in. `stands`: how many of the conversations are in the pool or were left out, and why. `sets`: how many examples of
    each version of each set. Raises `UnknownRow` where nothing is known of it.
    """
    origin = resolve(catalog, by, value)
    files = _files(catalog, origin)
    counts = {
        "lines": sum(f["lines"] for f in files),
        "calls": _one(catalog, "SELECT count(*) FROM traced_calls"),
        "events": _one(catalog, "SELECT count(*) FROM traced_events WHERE own"),
        "events_about": _one(catalog, "SELECT count(*) FROM traced_events WHERE NOT own"),
        "examples": _one(catalog, "SELECT count(*) FROM traced_examples"),
    }
    if not any(counts.values()) and not origin.uses:
        raise UnknownRow(
            f'nothing is known of the {by} "{value[:200]}": no line, no row, no example.{_others(catalog, by)}'
        )
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
            'SELECT name AS edit, count(*) AS calls, sum("count")::BIGINT AS count FROM lineage_edits SEMI JOIN traced_calls USING (call) '
            "JOIN lineage_names ON what = 'edit' AND number = edit GROUP BY name ORDER BY name"
        ),
        "sets": sets,
        "lines": reached_lines(catalog, origin, limit),
        "calls": reached_calls(catalog, limit),
        "events": reached_events(catalog, limit),
        "examples": reached_examples(catalog, limit),
    }


def reached(catalog: "Catalog", by: str, value: str) -> dict[str, list[Fact]]:
    """Everything that `forward` counts, row by row: `lines`, `calls`, `events`, `examples`; nothing is left out.

    `lines` has the digest of the raw file, the number, place and length of each line, and `stands`: `row`, or why it is no row
    of its own. `events` are the traced one's `own`, or about their conversations. `examples` are of every version that is stored
    or exported, with the file and line of each release; an example that lies in several files is there several times.
    """
    origin = resolve(catalog, by, value)
    return {
        "lines": reached_lines(catalog, origin),
        "calls": reached_calls(catalog),
        "events": reached_events(catalog),
        "examples": reached_examples(catalog),
    }


def _others(catalog: "Catalog", by: str) -> str:
    """What there is of a kind of which there are few."""
    if by not in ("source", "model", "app"):
        return ""
    there = catalog.rows(
        f'SELECT DISTINCT "{by}" AS value FROM conversations WHERE "{by}" IS NOT NULL ORDER BY 1 LIMIT 8'
    )
    return f" There are: {', '.join(r['value'] for r in there)}." if there else " Nothing has been built yet."


# --- what is traced


def resolve(catalog: "Catalog", by: str, value: str) -> Origin:
    """What is traced, in the temporary tables of the catalog. Raises `UnknownRow`."""
    if by not in BY:
        raise UnknownRow(f'nothing can be traced by "{by}".{nearest(by, BY)} One of: {", ".join(BY)}.')
    origin = BY[by](catalog, value)
    calls, events = _numbers(catalog, origin)
    _table(catalog, "traced_calls", calls, origin)
    _descend(catalog)
    _table(
        catalog,
        "traced_events",
        f"SELECT event, bool_or(own) AS own FROM (SELECT event, true AS own FROM ({events}) UNION ALL "
        "SELECT event, false FROM lineage_ledger SEMI JOIN traced_calls USING (call)) GROUP BY event",
        origin,
    )
    _table(
        catalog,
        "traced_links",
        "SELECT DISTINCT version, example FROM lineage_links WHERE (NOT feedback AND of IN (SELECT call FROM traced_calls)) "
        "OR (feedback AND of IN (SELECT event FROM traced_events WHERE own))",
    )
    _table(
        catalog,
        "traced_examples",
        "SELECT e.* FROM lineage_examples e SEMI JOIN traced_calls c ON c.call = e.example UNION ALL SELECT e.* FROM lineage_examples e "
        "SEMI JOIN (SELECT l.* FROM traced_links l ANTI JOIN traced_calls c ON c.call = l.example) USING (version, example)",
    )
    return origin


def _numbers(catalog: "Catalog", origin: Origin) -> tuple[str, str]:
    """Queries that give the numbers of the conversations, with where each stands, and those of the events.

    Ids that nothing else in the catalog knows, such as the parent of a refused example whose log is gone, get numbers below 0.
    """
    found = (
        f"SELECT id, false AS feedback FROM ({origin.calls}) AS c(id) UNION SELECT id, true FROM ({origin.events}) AS e(id)"
        if origin.by_id
        else "SELECT '' AS id, false AS feedback WHERE false"
    )
    _table(catalog, "traced_ids", f"SELECT * FROM ({found}) WHERE id IS NOT NULL", origin)
    unknown = "SELECT DISTINCT id FROM traced_ids ANTI JOIN lineage_ids USING (id)"
    _table(
        catalog,
        "traced_strangers",
        f"SELECT -(row_number() OVER (ORDER BY id))::INTEGER AS number, id FROM ({unknown})",
    )
    catalog.connection.execute(
        "CREATE OR REPLACE TEMP VIEW traced_names AS FROM lineage_ids UNION ALL FROM traced_strangers"
    )
    if not origin.by_id:
        return (
            f"SELECT call, {STANDS} FROM lineage_calls WHERE {origin.calls}",
            f"SELECT event FROM lineage_events WHERE {origin.events}",
        )
    numbers = "SELECT number AS {} FROM traced_ids JOIN traced_names USING (id) WHERE feedback = {}"
    return (
        f"SELECT call, {STANDS} FROM ({numbers.format('call', 'false')}) LEFT JOIN lineage_calls USING (call)",
        numbers.format("event", "true"),
    )


def _table(catalog: "Catalog", name: str, query: str, origin: Origin | None = None) -> None:
    catalog.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}", _used(query, origin))


def _used(query: str, origin: Origin | None) -> dict[str, Any]:
    """The parameters that a query names; DuckDB refuses others."""
    named = set(re.findall(r"\$(\w+)", query))
    return {k: v for k, v in origin.parameters.items() if k in named} if origin else {}


def _descend(catalog: "Catalog") -> None:
    """Add the rows that were made of traced rows, through any number of derivations."""
    if _one(catalog, "SELECT count(*) FROM lineage_children"):
        _table(
            catalog,
            "traced_calls",
            "WITH RECURSIVE r(call) AS (SELECT call FROM traced_calls UNION SELECT c.child FROM r JOIN lineage_children c ON c.parent = r.call) "
            f"SELECT call, {STANDS} FROM r LEFT JOIN lineage_calls USING (call)",
        )


# --- where it went


def _one(catalog: "Catalog", query: str) -> int:
    row = catalog.connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _files(catalog: "Catalog", origin: Origin) -> list[Fact]:
    """Raw files that hold lines of it."""
    query = (
        f"WITH l AS (SELECT file, feedback, count(*) AS lines FROM lineage_lines WHERE {origin.lines} GROUP BY ALL) "
        f"SELECT n.name AS file, {KIND} AS kind, lines FROM l JOIN lineage_names n ON n.what = 'file' AND n.number = l.file"
    )
    found = _named(catalog, catalog.rows(query, _used(query, origin)))
    return sorted(found, key=lambda f: (f["kind"], f["name"] or "", f["file"]))


def _named(catalog: "Catalog", rows: Iterable[Fact]) -> list[Fact]:
    """Rows that speak of raw files, with the names of these."""
    known = catalog.raw_files
    return [{"name": known[r["file"]].name if r["file"] in known else None} | r for r in rows]


def _stands(catalog: "Catalog") -> list[Fact]:
    """Of the conversations: how many are in the pool, and how many were left out by what and why."""
    pool = _one(catalog, "SELECT count(*) FROM traced_calls WHERE pool")
    left = " UNION ALL ".join(
        f"SELECT '{d}' AS dataset, {d} AS number, count(*) AS calls FROM traced_calls WHERE {d} IS NOT NULL GROUP BY ALL"
        for d in ("screened", "curated")
    )
    query = (
        f"SELECT dataset, reason, sum(calls)::BIGINT AS calls FROM ({left}) JOIN (SELECT number, unnest(reasons) AS reason FROM lineage_reasons) "
        "USING (number) GROUP BY ALL ORDER BY dataset DESC, calls DESC, reason"
    )
    kept = [{"dataset": "curated", "reason": None, "calls": pool}] if pool else []
    return kept + catalog.rows(query)


def _sets(catalog: "Catalog", origin: Origin) -> list[Fact]:
    """Every version of every set that holds some of it, or was made with it: how many of its examples, and of how many."""
    found = catalog.rows(
        "SELECT v.set, v.version, v.rows, coalesce(t.examples, 0) AS examples, coalesce(t.train, 0) AS train, coalesce(t.validation, 0) AS validation, "
        "v.head AS candidate, v.superseded, r.version IS NOT NULL AS released, coalesce(r.current, false) AS current, r.path "
        "FROM lineage_versions v LEFT JOIN (SELECT version, sum(n)::BIGINT AS examples, coalesce(sum(n) FILTER (s.name = 'train'), 0)::BIGINT AS train, "
        "coalesce(sum(n) FILTER (s.name = 'validation'), 0)::BIGINT AS validation FROM (SELECT version, split, count(*) AS n FROM traced_examples GROUP BY ALL) e "
        "LEFT JOIN lineage_names s ON s.what = 'split' AND s.number = e.split GROUP BY ALL) t ON t.version = v.number "
        "LEFT JOIN releases r ON r.set = v.set AND starts_with(v.version, r.version) ORDER BY v.set, r.rank NULLS LAST, v.version"
    )
    starts = {(u.dataset, u.version[:12]) for u in origin.uses}
    return [
        s | {"version": s["version"][:12], "made_with": (s["set"], s["version"][:12]) in starts}
        for s in found
        if s["examples"] or (s["set"], s["version"][:12]) in starts
    ]


# --- row by row: what is shown is chosen by number, then looked up


def _listed(
    catalog: "Catalog", kind: str, query: str, order: str, limit: int | None, origin: Origin | None = None
) -> None:
    """The first rows of a query with the id behind their number, `n`, in the temporary table `listed_KIND`."""
    some = "" if limit is None else f"LIMIT {int(limit)}"
    first = f"SELECT * FROM ({query}) ORDER BY {order} {some}"
    _table(
        catalog, f"listed_{kind}", f"SELECT t.*, i.id FROM ({first}) t JOIN traced_names i ON i.number = t.n", origin
    )


def reached_lines(catalog: "Catalog", origin: Origin, limit: int | None = None) -> list[Fact]:
    """The raw lines: where the bytes of each are, and what became of it."""
    query = f"SELECT file AS file_number, line, row AS n, feedback, stored FROM lineage_lines WHERE {origin.lines}"
    _listed(catalog, "lines", query, "file_number, line, n", limit, origin)
    stored = catalog.rows(
        "SELECT feedback, list(DISTINCT name) AS paths FROM listed_lines JOIN lineage_names ON what = 'stored' AND number = stored GROUP BY feedback"
    )
    if not stored:
        return []
    paths = {"events" if r["feedback"] else "calls": sorted(r["paths"]) for r in stored}
    ids = {"calls": "id", "events": "feedback_id"}
    read = " UNION ALL ".join(
        f"SELECT {kind == 'events'} AS feedback, {ids[kind]} AS id, unnest(raw) AS r FROM read_parquet(${kind}) "
        f"WHERE {ids[kind]} IN (SELECT id FROM listed_lines)"
        for kind in paths
    )
    return _named(
        catalog,
        catalog.rows(
            f'SELECT {KIND} AS kind, l.id, f.name AS file, l.line, r.r."offset" AS byte_offset, r.r.length, '
            "r.r.digest AS line_digest, coalesce(a.status, 'row') AS stands, a.kept_id FROM listed_lines l JOIN lineage_names f ON f.what = 'file' "
            f"AND f.number = l.file_number JOIN ({read}) r ON r.feedback = l.feedback AND r.id = l.id AND r.r.file = f.name AND r.r.line = l.line "
            "LEFT JOIN (FROM set_aside UNION ALL FROM feedback_set_aside) a ON a.id = l.id AND a.file = f.name AND a.line = l.line "
            "ORDER BY f.name, l.line, l.id",
            paths,
        ),
    )


def reached_calls(catalog: "Catalog", limit: int | None = None) -> list[Fact]:
    """The conversations: where each stands, and what is kept in its place."""
    _listed(catalog, "calls", f"SELECT call AS n, {STANDS} FROM traced_calls", "n", limit)
    return catalog.rows(
        "SELECT t.id, c.day::VARCHAR AS day, c.digest, CASE WHEN t.screened IS NOT NULL OR t.curated IS NOT NULL THEN 'left out' "
        "WHEN t.pool THEN 'in the pool' ELSE 'not screened yet' END AS stands, coalesce(s.reasons, d.reasons, []) AS reasons, k.instead, k.similarity "
        "FROM listed_calls t LEFT JOIN (SELECT id, day, digest FROM conversations WHERE id IN (SELECT id FROM listed_calls)) c USING (id) "
        "LEFT JOIN lineage_reasons s ON s.number = t.screened LEFT JOIN lineage_reasons d ON d.number = t.curated LEFT JOIN (SELECT id, instead, similarity "
        "FROM curated_rejected WHERE id IN (SELECT id FROM listed_calls)) k USING (id) ORDER BY t.id"
    )


def reached_events(catalog: "Catalog", limit: int | None = None) -> list[Fact]:
    """The feedback: what each event is, of which conversation, and whether it is the traced one's own."""
    _listed(catalog, "events", "SELECT event AS n, own FROM traced_events", "n", limit)
    of = "SELECT * FROM {} WHERE feedback_id IN (SELECT id FROM listed_events)"
    return catalog.rows(
        "SELECT t.id AS feedback_id, t.own, f.kind, f.actor_kind, f.actor, l.id AS of, l.status, l.why FROM listed_events t "
        f"LEFT JOIN ({of.format('feedback')}) f ON f.feedback_id = t.id LEFT JOIN ({of.format('feedback_ledger')}) l ON l.feedback_id = t.id ORDER BY t.id"
    )


def reached_examples(catalog: "Catalog", limit: int | None = None) -> list[Fact]:
    """The examples of every version, with the file and line of each release they lie in."""
    _listed(catalog, "examples", "SELECT *, example AS n FROM traced_examples", "version, n", limit)
    names = " ".join(
        f"LEFT JOIN lineage_names {c}_ ON {c}_.what = '{c}' AND {c}_.number = t.{c}"
        for c in ("split", "origin", "signal")
    )
    return catalog.rows(
        "SELECT v.set, v.version[:12] AS version, t.id AS example, split_.name AS split, origin_.name AS origin, signal_.name AS signal, v.head AS candidate, "
        "v.superseded, l.file, l.line, coalesce(r.current, false) AS current, r.path FROM listed_examples t JOIN lineage_versions v ON v.number = t.version "
        f"{names} LEFT JOIN releases r ON r.set = v.set AND starts_with(v.version, r.version) LEFT JOIN (SELECT * FROM release_lines WHERE example_id IN "
        "(SELECT id FROM listed_examples)) l ON l.set = r.set AND l.version = r.version AND l.example_id = t.id "
        "ORDER BY v.set, r.rank NULLS LAST, v.version, t.id, l.file"
    )
