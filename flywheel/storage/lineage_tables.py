"""Lineage in numbers: the tables of the catalog by which `flywheel trace` finds what something went into without comparing texts.

Every id and every name has a number, in the order of the texts: what is sorted by number is sorted by text, and texts are looked
up for the rows that are shown. Derived from the tables and views of `catalog_tables`, and nothing is in them that is not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Numbered:
    """One table: what it is, what its columns mean, and the query that fills it."""

    comment: str
    columns: Mapping[str, str]
    query: str


CALLS_READ, EVENTS_READ, STORED = "{calls_read}", "{events_read}", "{stored}"
"""Places in the queries below: every line that was read with the file that stores it (`filename`), and the paths of these files."""

NAMED: Mapping[str, Sequence[tuple[str, str]]] = {
    "source": [("source", t) for t in ("conversations", "calls_read", "feedback", "events_read")],
    "model": [("model", t) for t in ("conversations", "calls_read")],
    "app": [("app", t) for t in ("conversations", "calls_read")],
    "user": [
        *[("user", t) for t in ("conversations", "calls_read")],
        *[("actor", t) for t in ("feedback", "events_read")],
    ],
    "edit": [("edit", "edits")],
    **{c: [(c, t) for t in ("examples", "superseded_examples")] for c in ("split", "origin", "signal")},
}
"""What is named by few texts, and the columns these stand in."""

RAW = ("conversations", "calls_read", "feedback", "events_read")
"""What knows of raw files."""

IDS = (
    ("id", "calls_read"),
    ("id", "screened_rejected"),
    ("id", "curated"),
    ("id", "curated_rejected"),
    ("id", "edits"),
    ("id", "feedback_ledger"),
    ("feedback_id", "feedback_ledger"),
    ("feedback_id", "feedback"),
    ("feedback_id", "events_read"),
    ("id", "examples"),
    ("id", "superseded_examples"),
    ("id", "example_links"),
    ("of", "example_links"),
)
"""Where ids are, besides the conversations."""


def _ids() -> str:
    """Every id there is, once, in order."""
    parents = "SELECT unnest(parents) FROM conversations WHERE len(parents) > 0"
    others = " UNION ALL ".join([*(f"SELECT {column} AS id FROM {table}" for column, table in IDS), parents])
    return (
        "WITH known AS MATERIALIZED (SELECT id FROM conversations) SELECT (row_number() OVER ())::INTEGER AS number, id FROM "
        f"(SELECT id FROM (FROM known UNION ALL (SELECT DISTINCT id FROM ({others}) ANTI JOIN known USING (id) "
        "WHERE id IS NOT NULL)) ORDER BY id)"
    )


def _names() -> str:
    """Every name of every kind, once, in order."""
    distinct = [
        f"SELECT DISTINCT '{what}' AS what, \"{column}\" AS name FROM {table}"
        for what, places in NAMED.items()
        for column, table in places
    ]
    files = " UNION ALL ".join(f"SELECT unnest(raw) AS r FROM {t}" for t in RAW)
    distinct += [f"SELECT DISTINCT 'file', r.file FROM ({files})", f"SELECT 'stored', unnest({STORED})"]
    return (
        "SELECT what, (row_number() OVER (PARTITION BY what ORDER BY name))::INTEGER AS number, name FROM "
        f"(SELECT DISTINCT what, name FROM ({' UNION ALL '.join(distinct)}) WHERE name IS NOT NULL) ORDER BY what, name"
    )


def _numbers(of: str, columns: Iterable[str]) -> str:
    """Joins that give the names in columns of a table their numbers: that of column c is `c_.number`."""
    return " ".join(
        f"LEFT JOIN (SELECT number, name FROM lineage_names WHERE what = '{c}') {c}_ ON {c}_.name = {of}.\"{c}\""
        for c in columns
    )


def _numbered(columns: Iterable[str]) -> str:
    return ", ".join(f'{c}_.number AS "{c}"' for c in columns)


READ_BY = ("source", "model", "app", "user", "file")
MADE_AS = ("split", "origin", "signal")
LINES = (
    'SELECT id, source, model, app, "user", r.file AS file, r.line AS line, filename AS stored, false AS feedback '
    f'FROM (SELECT id, source, model, app, "user", filename, unnest(raw) AS r FROM {CALLS_READ}) UNION ALL '
    'SELECT id, source, NULL, NULL, "user", r.file, r.line, filename, true '
    f'FROM (SELECT feedback_id AS id, source, actor AS "user", filename, unnest(raw) AS r FROM {EVENTS_READ})'
)
FURTHER = " UNION ALL ".join(
    f"SELECT {id} AS id, {feedback} AS feedback, unnest(raw[2:]).file AS file FROM {table} WHERE len(raw) > 1"
    for id, table, feedback in (("id", "conversations", "false"), ("feedback_id", "feedback", "true"))
)
EXAMPLES = " UNION ALL ".join(
    f'SELECT "set", version, id, split, origin, signal FROM {table}' for table in ("examples", "superseded_examples")
)
REFUSED = "(SELECT id, number FROM {} JOIN lineage_reasons USING (reasons))"
OF_NAMES = {c: f"number of the {c} in lineage_names" for c in (*READ_BY, *MADE_AS)}

LINEAGE: Mapping[str, Numbered] = {
    "lineage_ids": Numbered(
        "Every id of a call, an example or a feedback event, with its number.",
        {"number": "from 1, in the order of the ids", "id": "who it is; the same in every dataset and version"},
        _ids(),
    ),
    "lineage_names": Numbered(
        "Every name of every source, model, app, user, raw file … with its number.",
        {
            "what": "source, model, app, user, file, edit, split, origin, signal, or stored: a Parquet file of this home",
            "number": "from 1 for each `what`, in the order of the names",
            "name": "as the tables that are not of numbers have it",
        },
        _names(),
    ),
    "lineage_reasons": Numbered(
        "Every combination of reasons for which a call was left out, with its number.",
        {"number": "from 1", "reasons": "every reason, not only the first"},
        "SELECT (row_number() OVER (ORDER BY reasons))::INTEGER AS number, reasons FROM "
        "(SELECT reasons FROM screened_rejected UNION SELECT reasons FROM curated_rejected)",
    ),
    "lineage_edits": Numbered(
        "Which edits changed which call.",
        {
            "call": "number of the call in lineage_ids",
            "edit": "number of the edit in lineage_names",
            "count": "values replaced, or texts changed",
        },
        'SELECT i.number AS call, edit_.number AS edit, sum(e."count")::BIGINT AS "count" FROM edits e '
        f"JOIN lineage_ids i USING (id) {_numbers('e', ['edit'])} GROUP BY ALL ORDER BY call, edit",
    ),
    "lineage_calls": Numbered(
        "Every call: what it was read from, and where it stands.",
        {"call": "number of the call in lineage_ids"}
        | {c: OF_NAMES[c] for c in READ_BY}
        | {
            "file": "number of its raw file in lineage_names, of its first line where it has several",
            "pool": "whether it is in the pool (curated)",
            "screened": "number in lineage_reasons of why a filter left it out",
            "curated": "number in lineage_reasons of why the choice among duplicates left it out",
        },
        f"SELECT i.number AS call, {_numbered(READ_BY)}, p.id IS NOT NULL AS pool, x.number AS screened, y.number AS curated "
        'FROM lineage_ids i LEFT JOIN (SELECT id, source, model, app, "user", raw[1].file AS file FROM conversations) c USING (id) '
        f"{_numbers('c', READ_BY)} LEFT JOIN (SELECT id FROM curated) p USING (id) "
        f"LEFT JOIN {REFUSED.format('screened_rejected')} x USING (id) LEFT JOIN {REFUSED.format('curated_rejected')} y USING (id) "
        "WHERE c.id IS NOT NULL OR p.id IS NOT NULL OR x.id IS NOT NULL OR y.id IS NOT NULL "
        "OR i.number IN (SELECT call FROM lineage_edits) ORDER BY call",
    ),
    "lineage_events": Numbered(
        "Every feedback event: what it was read from.",
        {"event": "number of the event in lineage_ids"}
        | {c: OF_NAMES[c] for c in ("source", "user")}
        | {"file": "number of its raw file in lineage_names, of its first line where it has several"},
        f"SELECT i.number AS event, {_numbered(['source', 'user', 'file'])} FROM "
        '(SELECT feedback_id AS id, source, actor AS "user", raw[1].file AS file FROM feedback) e '
        f"JOIN lineage_ids i USING (id) {_numbers('e', ['source', 'user', 'file'])} ORDER BY event",
    ),
    "lineage_further_files": Numbered(
        "Raw files of calls and events that were read from several lines, but for that of the first.",
        {
            "file": "number of the raw file in lineage_names",
            "row": "number of the call or event in lineage_ids",
            "feedback": "whether it is an event",
        },
        f"SELECT DISTINCT file_.number AS file, i.number AS row, feedback FROM ({FURTHER}) f JOIN lineage_ids i USING (id) "
        f"{_numbers('f', ['file'])} ORDER BY ALL",
    ),
    "lineage_ledger": Numbered(
        "Which feedback event speaks of which call.",
        {"event": "number of the event in lineage_ids", "call": "number of the call in lineage_ids"},
        "SELECT e.number AS event, c.number AS call FROM feedback_ledger l JOIN lineage_ids e ON e.id = l.feedback_id "
        "JOIN lineage_ids c ON c.id = l.id ORDER BY call, event",
    ),
    "lineage_children": Numbered(
        "Calls that were made of other calls.",
        {
            "parent": "number of the call in lineage_ids that it was made of",
            "child": "number of the call in lineage_ids",
        },
        "SELECT p.number AS parent, i.number AS child FROM (SELECT id, unnest(parents) AS parent FROM conversations "
        "WHERE len(parents) > 0) c JOIN lineage_ids i USING (id) JOIN lineage_ids p ON p.id = c.parent ORDER BY ALL",
    ),
    "lineage_lines": Numbered(
        "Every line of every raw file that could be read, as `lines` has it.",
        {c: OF_NAMES[c] for c in READ_BY}
        | {
            "line": "number of the line, from 1",
            "row": "number in lineage_ids of the call or event it was read as, which another line may stand for",
            "feedback": "whether it was read as an event",
            "stored": "number in lineage_names of the Parquet file that has its place and digest",
        },
        f"SELECT file_.number AS file, l.line, i.number AS row, l.feedback, {_numbered(['source', 'model', 'app', 'user', 'stored'])} "
        f"FROM ({LINES}) l JOIN lineage_ids i USING (id) {_numbers('l', [*READ_BY, 'stored'])} ORDER BY file, line, row",
    ),
    "lineage_versions": Numbered(
        "Every version of every set that is stored or exported, with its number.",
        {
            "number": "from 1, in the order of set and version",
            "set": "name of the set",
            "version": "digest of the content; the first 12 digits name the export folder",
            "head": "whether it is the candidate",
            "superseded": "whether it is a candidate that came before and was never exported",
            "rows": "examples it has",
        },
        'SELECT (row_number() OVER (ORDER BY "set", version))::INTEGER AS number, * FROM (SELECT "set", version, head, '
        "false AS superseded, count(*) AS rows FROM examples GROUP BY ALL UNION ALL "
        'SELECT "set", version, head, true, count(*) FROM superseded_examples GROUP BY ALL)',
    ),
    "lineage_examples": Numbered(
        "Every example of every version.",
        {
            "version": "number of the version in lineage_versions",
            "example": "number of the example in lineage_ids",
        }
        | {c: OF_NAMES[c] for c in MADE_AS},
        f"SELECT v.number AS version, i.number AS example, {_numbered(MADE_AS)} FROM ({EXAMPLES}) e "
        f'JOIN lineage_versions v USING ("set", version) JOIN lineage_ids i ON i.id = e.id {_numbers("e", MADE_AS)} '
        "ORDER BY v.number, i.number",
    ),
    "lineage_links": Numbered(
        "What examples are made of besides the call whose id they have, as `example_links` has it.",
        {
            "version": "number of the version in lineage_versions",
            "example": "number of the example in lineage_ids",
            "of": "number in lineage_ids of the call or event it is made of",
            "feedback": "whether that is an event",
        },
        "SELECT v.number AS version, i.number AS example, o.number AS of, l.kind = 'feedback' AS feedback FROM example_links l "
        'JOIN lineage_versions v USING ("set", version) JOIN lineage_ids i ON i.id = l.id JOIN lineage_ids o ON o.id = l.of '
        "WHERE l.kind <> 'refused' ORDER BY v.number, i.number, o.number, feedback",
    ),
}
"""In the order in which they are made."""


def queries(read: Mapping[str, str], stored: str) -> Mapping[str, str]:
    """The query of each table. `read`: tables that give the rows of `calls_read` and `events_read` with `filename`; `stored`: list of all these."""
    places = {CALLS_READ: read["calls_read"], EVENTS_READ: read["events_read"], STORED: stored}
    found = {}
    for name, table in LINEAGE.items():
        query = table.query
        for place, told in places.items():
            query = query.replace(place, told)
        found[name] = query
    return found
