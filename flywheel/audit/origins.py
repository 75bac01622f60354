"""What can be traced forward, and how it is found in the tables of numbers (`lineage_tables`): a user, a file, a model, a row …"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flywheel.audit.operators import Use, changed_by, labelled, uses
from flywheel.errors import UnknownRow, nearest
from flywheel.logs.identities import pseudonym
from flywheel.logs.raw import RawFile

if TYPE_CHECKING:
    from flywheel.storage.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Origin:
    """What is traced, in SQL: which lines it is, which conversations and events these are rows of."""

    by: str
    value: str
    """As the catalog knows it: a user by their pseudonym, a file by its digest."""
    lines: str
    """Condition on `lineage_lines`; may speak of traced_calls and traced_events."""
    calls: str
    """Condition on `lineage_calls`, or query that gives ids of conversations."""
    events: str
    """Condition on `lineage_events`, or query that gives ids of events: those that are the traced one's own."""
    parameters: Mapping[str, Any]
    uses: Sequence[Use] = ()
    """Of an operator: the snapshots it took part in. Of a guideline: the sets labelled by it, and the digest of its text."""
    by_id: bool = False
    """Whether `calls` and `events` are queries that give ids."""


OF_CALLS = "NOT feedback AND row IN (SELECT call FROM traced_calls)"
OF_EVENTS = "feedback AND row IN (SELECT event FROM traced_events WHERE own)"
LISTED = ("SELECT unnest($calls::VARCHAR[])", "SELECT unnest($events::VARCHAR[])")
"""Conversations and events whose ids are known."""


def _among(catalog: "Catalog", column: str, names: Iterable[str]) -> str:
    """Condition that a column of numbers is one of these names."""
    query = "SELECT number FROM lineage_names WHERE what = ? AND list_contains(?::VARCHAR[], name) ORDER BY number"
    found = [str(r["number"]) for r in catalog.rows(query, [column, list(names)])]
    return f'"{column}" IN ({", ".join(found)})' if found else "false"


def _user(catalog: "Catalog", value: str) -> Origin:
    """A user or actor, by pseudonym or by the application's own id; with those that are the same person."""
    name = value if value.startswith("u_") and len(value) == 18 else pseudonym(value, catalog.home.secret)
    same = catalog.rows(
        "SELECT DISTINCT b.user FROM identities a JOIN identities b USING (person) WHERE a.user = ?", [name]
    )
    users = sorted({name, *(r["user"] for r in same)})
    here = _among(catalog, "user", users)
    return Origin("user", ", ".join(users), here, here, here, {})


def _file(catalog: "Catalog", value: str) -> Origin:
    """A raw file, by digest (or its start), name or path."""
    found = files_named(catalog, value)
    here = _among(catalog, "file", found)
    calls, events = (
        f"{here} OR {row} IN (SELECT row FROM lineage_further_files WHERE {here} AND feedback = {feedback})"
        for row, feedback in (("call", "false"), ("event", "true"))
    )
    return Origin("file", ", ".join(found), here, calls, events, {})


def files_named(catalog: "Catalog", value: str) -> list[str]:
    """Digests of the raw files of this name, path or digest. Raises `UnknownRow` with the nearest name."""
    files = catalog.raw_files.values()
    found = sorted(f.digest for f in called(files, value))
    if not found:
        names = sorted({name for f in files for name in (f.name, f.last_name)})
        raise UnknownRow(
            f'no raw file is called "{value[:200]}".{nearest(value, names)} Give a name or the start of a digest; '
            "flywheel quarantine and SELECT name, file FROM files list them."
        )
    return found


def called(files: Iterable[RawFile], value: str) -> list[RawFile]:
    """The raw files of this name, this path or the start of this digest; else those of a name whose last part is it. Raises
    `UnknownRow` where there are several such names."""
    received = list(files)
    digest = value.lower() if len(value) >= 8 else None
    if found := [f for f in received if value in (f.name, str(f.path)) or (digest and f.digest.startswith(digest))]:
        return found
    found = [f for f in received if f.last_name == value]
    if len(names := sorted({f.name for f in found})) > 1:
        raise UnknownRow(f'{len(names)} raw files are called "{value[:200]}"; name one: {", ".join(names[:8])}.')
    return found


def _line(catalog: "Catalog", value: str) -> Origin:
    """A line of a raw file, FILE:N."""
    file, _, number = value.rpartition(":")
    if not file or not number.isdigit():
        raise UnknownRow(f'"{value[:200]}" is no line; expected FILE:N, such as 2026-03-02.jsonl:17.')
    files = files_named(catalog, file)
    here = f"{_among(catalog, 'file', files)} AND line = $line"
    read = catalog.rows(
        "SELECT l.feedback, coalesce(a.kept_id, i.id) AS id, coalesce(a.status, 'repeated') AS status "
        f"FROM (FROM lineage_lines WHERE {here}) l JOIN lineage_ids i ON i.number = l.row "
        "JOIN lineage_names f ON f.what = 'file' AND f.number = l.file LEFT JOIN (SELECT false AS feedback, * FROM set_aside "
        "UNION ALL SELECT true, * FROM feedback_set_aside) a ON a.feedback = l.feedback AND a.file = f.name "
        "AND a.line = l.line AND a.id = i.id ORDER BY ALL",
        {"line": int(number)},
    )
    if not read:
        bad = catalog.rows(
            "SELECT reason FROM quarantine WHERE list_contains(?, file) AND line = ? LIMIT 1", [files, int(number)]
        )
        why = f"it is in quarantine: {bad[0]['reason']}. See: flywheel quarantine" if bad else "there is no such line"
        raise UnknownRow(f"line {number} of {file[:200]} was read as no row; {why}.")
    stand = [r for r in read if r["status"] == "repeated"]
    calls, events = ([r["id"] for r in stand if r["feedback"] == told] for told in (False, True))
    at = {"line": int(number), "calls": calls, "events": events}
    return Origin("line", f"{file}:{number}", here, *LISTED, at, by_id=True)


def _column(by: str, events: bool = False) -> Callable[["Catalog", str], Origin]:
    """What is a column of conversations, and of feedback where it is one of both."""

    def origin(catalog: "Catalog", value: str) -> Origin:
        here = _among(catalog, by, [value])
        return Origin(by, value, here, here, here if events else "false", {})

    return origin


def _conversation(_: "Catalog", value: str) -> Origin:
    """A session, with all its turns and the feedback on them."""
    read = " UNION ALL ".join(
        f"SELECT f.number, r.line, i.number, {feedback} FROM (SELECT {id} AS id, unnest(raw) AS r FROM {table} "
        "WHERE conversation_id = $value) JOIN lineage_ids i USING (id) JOIN lineage_names f ON f.what = 'file' AND f.name = r.file"
        for id, table, feedback in (("id", "calls_read", "false"), ("feedback_id", "events_read", "true"))
    )
    calls = "SELECT id FROM conversations WHERE conversation_id = $value"
    events = "SELECT feedback_id FROM feedback WHERE conversation_id = $value"
    here = f"(file, line, row, feedback) IN ({read})"
    return Origin("conversation", value, here, calls, events, {"value": value}, by_id=True)


def _row(catalog: "Catalog", value: str) -> Origin:
    """One row, by any id that `flywheel why` takes."""
    from flywheel.audit.trace import named

    kind, id, parents = named(catalog, value)
    event = kind == "feedback"
    at = {"calls": [] if event else parents, "events": [id] if event else []}
    return Origin("id", id, OF_EVENTS if event else OF_CALLS, *LISTED, at, by_id=True)


def _operator(catalog: "Catalog", value: str) -> Origin:
    """An operator, NAME or NAME@VERSION: the rows it changed or left out, and whatever was made with it."""
    found = uses(catalog, value)
    return Origin("operator", value, OF_CALLS, changed_by(found), "false", {"reasons": found.reasons}, found.uses)


def _guideline(catalog: "Catalog", value: str) -> Origin:
    """A guideline, NAME or NAME@VERSION, as the events made by it name it; with the calls whose labels they had a part in."""
    given = "json_extract_string(metadata, '$.guideline') || coalesce('@' || json_extract_string(metadata, '$.guideline_version'), '')"
    events = (
        f"SELECT feedback_id FROM (SELECT feedback_id, {given} AS given FROM feedback_text WHERE contains(metadata, 'guideline')) "
        "WHERE given = $value OR starts_with(given, $value || '@')"
    )
    calls = f"SELECT id FROM feedback_ledger WHERE status IN ('applied', 'contradicted') AND feedback_id IN ({events})"
    return Origin("guideline", value, OF_EVENTS, calls, events, {"value": value}, labelled(catalog, value), by_id=True)


BY: Mapping[str, Callable[["Catalog", str], Origin]] = {
    "user": _user,
    "file": _file,
    "line": _line,
    "source": _column("source", events=True),
    "conversation": _conversation,
    "model": _column("model"),
    "app": _column("app"),
    "operator": _operator,
    "guideline": _guideline,
    "id": _row,
}
"""What can be traced, and how it is found. A conversation is a session, with all its turns."""
