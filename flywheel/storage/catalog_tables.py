"""What the catalog holds, as plain data: its tables with their columns, its views, and what each of them means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from flywheel.choices.oversampling import COPIES
from flywheel.choices.selection import SELECTION
from flywheel.coverage.acquisition import ACQUISITION
from flywheel.coverage.matrix import MATRIX
from flywheel.filters.behaviour import BEHAVIOURS
from flywheel.labels import COMPARISONS, LABELS, LEDGER
from flywheel.logs.reader import FILES
from flywheel.records import CONVERSATIONS, FEEDBACK, QUARANTINE, REJECTED, SET_ASIDE, SLIM
from flywheel.rewriting import EDITS_MADE
from flywheel.stages.conflicts import CONFLICTS
from flywheel.stages.reserve import RESERVED
from flywheel.stages.review import REVIEW
from flywheel.storage.releases import LINES

FORMAT = "10"
"""Raised when the tables below change, so that a catalog of an older flywheel is rebuilt."""

STRINGS = pl.List(pl.String)
POOL = pl.Schema({name: CONVERSATIONS[name] for name in SLIM} | {"undesired": STRINGS})
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
        "group": pl.String,
        "split": pl.String,
        "digest": pl.String,
        "head": pl.Boolean,
    }
)
WROTE = ("feedback_id", "text", "correction", "metadata")
TEXT = ("messages", "tools", "parameters", "response_extra", "metadata")
READ = ("id", "digest", "source", "user", "conversation_id", "model", "app", "raw")
HEARD = ("feedback_id", "digest", "source", "actor", "target_id", "conversation_id", "raw")


@dataclass(frozen=True, slots=True)
class Copied:
    """One table or view of the catalog that shows a table of the newest snapshot of a dataset, without some of its columns."""

    name: str
    dataset: str
    table: str
    schema: pl.Schema
    comment: str
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    """The columns shown; empty for all but those of `without`."""
    sums: tuple[str, ...] = ()
    """Columns to add up over the rows that are alike in all the others."""


COPIED = (
    Copied(
        "files",
        "raw_files",
        "files",
        FILES,
        "Raw files received, with the number of lines read and quarantined.",
        sums=("size", "lines", "accepted", "quarantined"),
    ),
    Copied(
        "quarantine",
        "raw_files",
        "quarantine",
        QUARANTINE,
        "Lines that could not be read: where, why, and their raw bytes.",
    ),
    Copied(
        "calls_read",
        "raw_files",
        "conversations",
        pl.Schema({c: CONVERSATIONS[c] for c in READ}),
        "Every log line that could be read, before one row was chosen for each id.",
        only=READ,
    ),
    Copied(
        "events_read",
        "raw_files",
        "feedback",
        pl.Schema({c: FEEDBACK[c] for c in HEARD}),
        "Every feedback line that could be read, before one event was chosen for each id.",
        only=HEARD,
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
        "conversation_text",
        "conversations",
        "rows",
        pl.Schema({c: CONVERSATIONS[c] for c in ("id", *TEXT)}),
        "The messages and free JSON of each conversation, as logged.",
        only=("id", *TEXT),
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
        WROTE[1:],
    ),
    Copied(
        "feedback_text",
        "feedback",
        "rows",
        pl.Schema({c: FEEDBACK[c] for c in WROTE}),
        "What people wrote.",
        only=WROTE,
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
        "screened_text",
        "screened",
        "rows",
        pl.Schema({c: CONVERSATIONS[c] for c in ("id", *TEXT)}),
        "The messages and free JSON of each conversation that passed, after every edit.",
        only=("id", *TEXT),
    ),
    Copied(
        "screened_rejected", "screened", "rejected", REJECTED, "Conversations that filters left out, with every reason."
    ),
    Copied(
        "edits", "screened", "edits", EDITS_MADE, "Each rewriting of a text: which edit, in which message, how often."
    ),
    Copied(
        "behaviours",
        "screened",
        "behaviours",
        BEHAVIOURS,
        "Behaviours to be unlearned: of each day, the rows a rule is about, those left out for it, and plain ones to imitate.",
    ),
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
    Copied(
        "conflicts",
        "conflicts",
        "rows",
        CONFLICTS,
        "Pairs of rows with one question and different answers, or one answer to different questions, and whether they contradict.",
    ),
    Copied(
        "review",
        "review",
        "rows",
        REVIEW,
        "Rows that a person should look at: held back, or asked for by a batch; priority 1 is looked at first.",
    ),
    Copied(
        "reserved",
        "reserved",
        "rows",
        RESERVED,
        "Rows of each pilot and of its evaluation twin, and whether an expert has said anything of them.",
    ),
)
"""The tables of the newest snapshots."""

SETS: Mapping[str, tuple[pl.Schema, str]] = {
    "examples": (EXAMPLES, "Examples of every candidate (head) and of every version exported."),
    "superseded_examples": (
        EXAMPLES,
        "Examples of the candidates that came before, were never exported, and are stored still.",
    ),
    "example_rejected": (
        pl.Schema(EXAMPLE | {"parents": STRINGS, "reasons": STRINGS, "instead": pl.String, "head": pl.Boolean}),
        "Conversations and pairs that are no example of a set, with every reason and the example kept instead.",
    ),
    "coverage": (
        pl.Schema({"set": pl.String, "version": pl.String} | dict(MATRIX) | {"head": pl.Boolean}),
        "Of each candidate that shall cover something: what it holds of each value of each axis, what was wanted, and the gap.",
    ),
    "acquisition": (
        pl.Schema({"version": pl.String} | dict(ACQUISITION) | {"head": pl.Boolean}),
        "The rows that would close the gaps of each candidate: how many, in which way, and which conversations to imitate.",
    ),
    "example_selection": (
        pl.Schema(EXAMPLE | {c: t for c, t in SELECTION.items() if c != "id"} | {"head": pl.Boolean}),
        "What the selection of a set said of each example that was there: kept or not, why, score, weight, place.",
    ),
    "example_copies": (
        pl.Schema(EXAMPLE | {c: t for c, t in COPIES.items() if c != "id"} | {"head": pl.Boolean}),
        "Examples that repeat another one because their cell was short, and the number of the copy, from 2.",
    ),
}
"""What sets and their exports store, over all of them."""

COVERED = {"coverage": "rows", "acquisition": "plan"}
"""Of these, what the coverage of a set stores, and under which name."""

OWN: Mapping[str, tuple[pl.Schema, str]] = {
    "identities": (
        pl.Schema({"user": pl.String, "person": pl.String, "rows": pl.Int64}),
        "Which person each user is, and how many calls they made; empty where the recipe does not ask for the signal person.",
    ),
    "releases": (
        pl.Schema({"set": pl.String, "version": pl.String, "path": pl.String, "current": pl.Boolean, "rank": pl.Int64}),
        "Versions exported to disk, ranked by when they were released last, the first with 1; `current` is the one pointed at.",
    ),
    "release_lines": (
        LINES,
        "Which line of which exported file holds which example.",
    ),
    "example_links": (
        pl.Schema(EXAMPLE | {"of": pl.String, "kind": pl.String}),
        "What examples are made of besides the conversation whose id they have: conversations, and feedback events; of "
        "refused ones the conversations.",
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
    "state": (
        pl.Schema({"state": pl.String, "place": pl.String}),
        "Hash of what this catalog holds, and of the files it was built from and where they lay.",
    ),
}
"""The tables that are put together here."""

LINE = 'r.file AS file, r.line AS line, r."offset" AS "offset", r.length AS length, r.digest AS line_digest'
VIEWS = {
    "lines": (
        f"SELECT 'log' AS kind, id, digest, source, \"user\", conversation_id, model, app, {LINE} "
        "FROM (SELECT * EXCLUDE (raw), unnest(raw) AS r FROM calls_read) UNION ALL "
        f"SELECT 'feedback', feedback_id, digest, source, actor, conversation_id, NULL, NULL, {LINE} "
        "FROM (SELECT * EXCLUDE (raw), unnest(raw) AS r FROM events_read)",
        "Every line of every raw file that could be read: where its bytes are, and the row it was read as, which another line may stand for.",
    ),
    "example_parents": (
        'SELECT "set", version, id, unnest(parents) AS parent_id FROM examples',
        "The conversations each example is made of.",
    ),
    "contradictions": (
        "SELECT l.feedback_id, l.id, l.kind, l.status, coalesce(l.why, 'stands') AS why, b.thumb, b.thumbs_up, b.thumbs_down, "
        "l.occurred_at, l.received_at FROM feedback_ledger l JOIN labels b USING (id) "
        "WHERE l.kind = 'thumb' AND l.status <> 'duplicate' AND id IN (SELECT id FROM feedback_ledger WHERE kind = 'thumb' "
        "AND status IN ('contradicted', 'superseded')) ORDER BY l.id, l.occurred_at, l.feedback_id",
        "Every thumb on a reply about which people contradict each other, or one person changed their mind, with the policy that decided.",
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
    "other": "id of the other row of a pair",
    "group_id": "smallest id of all rows with that question, or that answer",
    "verdict": "contradiction or variation",
    "rule": "what decided: yes_or_no, final_answer, negation, numbers, nothing_in_common or wording",
    "person": "smallest pseudonym of the users who are one person",
    "actor": "keyed pseudonym",
    "native_id": "the id the application knows the call by",
    "late": "whether it arrived later than feedback.late_after_hours",
    "length": "bytes of the line, without its newline",
    "line_digest": "sha256 of the bytes of the line",
    "of": "id of the conversation or feedback event it is made of",
    "conversation_id": "the session; a set has it on one side of the split",
    "model": "who wrote the reply",
    "source": "the source that read the line",
    "kept_id": "the row that stands for it",
    "origin": "logged, demonstrated by a person, synthesized or distilled",
    "signal": "the kind of feedback that made it an example",
    "group": "everything that must stay on one side of the split",
    "use": "name of an operator or setting",
    "parameters": "every parameter of the operator (JSON); in conversation_text, the request but for model, messages and tools",
    "watermark": "feedback received up to here was known",
    "operation": "the stage that made it",
    "edit": "name of the edit",
    "count": "values replaced, or texts changed",
    "target_id": "the call that feedback speaks of, as the application names it",
    "actor_kind": "end_user, expert, judge or code",
    "kind": "of feedback: thumb, rating, edit …; of examples: the kind of set; of lines: log or feedback; of links: conversation, feedback or refused",
}
"""What columns mean, wherever they occur."""
