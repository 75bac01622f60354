"""Audit reports in Markdown: all that can be said of one row, or of one version of a set, to whoever has to answer for it.

    HOME/audits/<set>-<version>.md    where a version of a set comes from and how it was made
    HOME/audits/row-<hash of id>.md   one row: bytes, steps, changes, people, sets, and how to check each

A report holds nothing that makes it differ when it is written again. What comes from logs stands in code, with every character
that could end it or play tricks on a reader escaped; the texts themselves only where they are asked for.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flywheel.audit.changes import changes, differing
from flywheel.records import short_hash
from flywheel.report import plain
from flywheel.stages.export import ancestry
from flywheel.storage.releases import is_set
from flywheel.storage.snapshots import Snapshot, replace_synced

if TYPE_CHECKING:
    from flywheel.home import Home
    from flywheel.storage.catalog import Catalog

Fact = Mapping[str, Any]
FOLDER = "audits"
EVENT = 8_000
"""Bytes of a report that an event of Dagster may hold: it is stored several times over."""
LONGEST = 200
"""Characters of a value in a table; of a text four times as many."""


OPENS = {"the file": {"": "cat"}, "the decompressed file": {".gz": "zcat", ".zst": "zstdcat"}}
"""What prints the bytes that an offset counts in."""
HARMLESS = str.maketrans({"`": "'", "|": "¦", "<": "‹"})
"""What could end code or a cell, or begin a tag for a reader that does not know code."""


class Dossier(NamedTuple):
    """A report that was written: its file, what it is of, the numbers people ask for first, and what a UI may show of it."""

    path: Path
    id: str
    kind: str
    sources: int
    intact: int
    steps: int
    sets: int
    shown: str
    """The report without texts of the log and commands, as much of it as an event may hold."""


def audit(catalog: "Catalog", wanted: str, texts: bool = False) -> Dossier:
    """Write the report of a row (any id that `flywheel why` takes) or of a set (SET, or SET@VERSION).

    `texts`: show what was changed, before and after; that is text of the log, personal data with it. Raises `UnknownRow`, or
    `SnapshotMissing` for a version there is not.
    """
    name, _, version = wanted.partition("@")
    if name in catalog.home.store.names() and is_set(catalog.home.store.head(name)):
        return audit_set(catalog.home, name, version or "candidate")
    story = catalog.why(wanted)
    behind = sorted({s["of"] for s in story["sources"] if s["kind"] == "log"})
    found = changes(catalog, behind)
    path = _write(catalog.home, f"row-{short_hash(story['id'])[:16]}.md", _of_row(catalog, story, found, texts))
    sources, intact = len(story["sources"]), sum(bool(s["intact"]) for s in story["sources"])
    shown = fitting([*_of_row(catalog, story, found, False)][:-1])
    return Dossier(path, story["id"], story["kind"], sources, intact, len(story["steps"]), len(story["sets"]), shown)


def audit_set(home: "Home", name: str, version: str = "candidate") -> Dossier:
    """Write the report of one version of a set, from manifests alone."""
    from flywheel.audit.difference import version as version_of

    snapshot = version_of(home, name, version)
    chain = ancestry(home.store, snapshot)
    sections = [*_of_set(home, snapshot, chain)]
    path = _write(home, f"{name}-{snapshot.version[:12]}.md", sections)
    return Dossier(path, f"{name}@{snapshot.version[:12]}", "set", 0, 0, len(chain), 1, fitting(sections[:-1]))


def fitting(sections: Sequence[str]) -> str:
    """As many whole sections as fit into an event."""
    kept: list[str] = []
    room = EVENT
    for section in sections:
        room -= len(section.encode()) + 2
        if room < 0:
            return "\n\n".join([*kept, "*The rest is in the file.*"])
        kept.append(section)
    return "\n\n".join(kept)


def _write(home: "Home", name: str, sections: Iterable[str]) -> Path:
    folder = home.path / FOLDER
    folder.mkdir(exist_ok=True)
    replace_synced(folder / name, ("\n\n".join(sections) + "\n").encode())
    return folder / name


# --- one row


def _of_row(catalog: "Catalog", story: Fact, found: Sequence[Fact], texts: bool) -> Iterable[str]:
    """The sections on one row."""
    yield f"# Lineage of {code(story['id'])}"
    yield _summary(story)
    yield "## 1. Where it comes from\n\n" + _sources(story["sources"]) + _logged(catalog, story["sources"])
    yield "## 2. What happened to it\n\n" + _steps(story["steps"])
    yield "## 3. What was changed\n\n" + _changed(found, texts)
    yield "## 4. What people said of it\n\n" + _said(story["steps"])
    yield "## 5. Where it went\n\n" + _went(story["sets"])
    yield "## 6. Rights\n\n" + _rights(story["sets"])
    yield "## 7. How each set was made\n\n" + _made(catalog.home, story["sets"])
    yield "## 8. How to check this\n\n" + _check(catalog.home, story)


def _summary(story: Fact) -> str:
    """The answer in a paragraph."""
    sources, sets = story["sources"], story["sets"]
    changed = [s for s in sources if not s["intact"]]
    bytes_told = (
        "each still has the bytes it was read with"
        if not changed
        else f"**{len(changed)} of them no longer have the bytes they were read with**"
    )
    now = sorted({s["set"] for s in sets if s["current"]})
    went = f"It is in the current release of {', '.join(now)}." if now else "It is in no current release."
    left = [s["what"] for s in story["steps"] if "reasons" in s and s["stage"] == "curate"]
    why = f" It was left out: {code('; '.join(left))}." if left and not now else ""
    return (
        f"This {story['kind']} was read from {len(sources)} raw lines; {bytes_told}. {went}{why} "
        f"It is in {len(sets)} versions of sets in all."
    )


def _sources(sources: Sequence[Fact]) -> str:
    rows = [
        [
            s["kind"],
            code(s["name"] or "a raw file that is gone"),
            f"{s['line']:,}",
            f"{s['byte_offset']:,} of {s['offset_within']}",
            f"{s['length']:,}",
            code(s["digest"] or "unreadable"),
            "yes" if s["intact"] else "**no**",
        ]
        for s in sources
    ]
    return table(["what", "raw file", "line", "byte offset", "bytes", "SHA-256 of the line, now", "unchanged"], rows)


def _logged(catalog: "Catalog", sources: Sequence[Fact]) -> str:
    """Who and what the calls were, as the log says."""
    ids = sorted({s["of"] for s in sources if s["kind"] == "log"})
    if not ids:
        return ""
    asked = ", ".join("?" * len(ids))
    rows = catalog.rows(
        f'SELECT id, occurred_at::VARCHAR AS at, source, app, model, origin, "user", conversation_id FROM conversations WHERE id IN ({asked}) ORDER BY id',
        ids,
    )
    head = ["call", "when", "source", "application", "reply written by", "origin", "user (pseudonym)", "session"]
    return "\n\n" + table(head, [[code("" if v is None else v) for v in r.values()] for r in rows])


def _steps(steps: Sequence[Fact]) -> str:
    return table(
        ["", "stage", "of", "what"],
        [[str(n), s["stage"], code(s.get("of") or ""), code(s["what"])] for n, s in enumerate(steps, 1)],
    )


def _changed(found: Sequence[Fact], texts: bool) -> str:
    if not found:
        return "Nothing: every text is as it was logged."
    told = []
    for c in found:
        where = f"{c['field']} of message {c['message']}" if c["message"] >= 0 else c["field"]
        told.append(f"- {where} of {code(c['of'])}, by {code(', '.join(c['by']) or 'an edit')}")
        if texts:
            before, after = differing(c["before"], c["after"])
            told[-1] += "\n\n" + block(f"before: {before}", f"after:  {after}")
    hint = "" if texts else "\n\nThe texts are left out of this report; ask for them with `texts: true`."
    return "\n".join(told) + hint


def _said(steps: Sequence[Fact]) -> str:
    rows = [
        [
            code(s["feedback_id"]),
            s["kind"],
            "said" if s["explicit"] else "inferred",
            f"{s['actor_kind'] or 'someone'} {code(s['actor'] or '')}",
            s["occurred_at"] or "",
            f"{s['status'] or 'not labelled yet'}{', late' if s['late'] else ''}",
            code(s["why"] or ""),
        ]
        for s in steps
        if s["stage"] == "label"
    ]
    return table(["event", "kind", "", "by", "when", "became", "decided by"], rows) if rows else "Nothing."


def _went(sets: Sequence[Fact]) -> str:
    rows = [
        [
            s["set"],
            code(s["version"]),
            s["split"],
            f"{s['line']:,} of {code(s['file'])}" if s["line"] is not None else "not exported",
            "current release" if s["current"] else "earlier release" if s["released"] else "candidate",
        ]
        for s in sets
    ]
    return table(["set", "version", "side", "line", "standing"], rows) if rows else "Nowhere: it is in no set."


def _rights(sets: Sequence[Fact]) -> str:
    """What the manifests of the releases say of licences and terms."""
    told = []
    for s in sets:
        rights = _manifest(s).get("rights")
        if rights:
            rows = [[code(r[k]) for k in ("subject", "name", "stands", "verdict", "why")] for r in rights["table"]]
            told.append(
                f"{s['set']} {code(s['version'])}:\n\n" + table(["of", "name", "stands under", "verdict", "why"], rows)
            )
    return "\n\n".join(told) or (
        "No release that holds it says anything of rights: the recipe registers no source and declares no purpose. "
        "The licence of the logs is not known."
    )


def _manifest(held: Fact) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((Path(held["path"]) / "manifest.json").read_bytes())
    except (OSError, ValueError, TypeError):
        return {}
    return manifest


def _made(home: "Home", sets: Sequence[Fact]) -> str:
    """The steps behind every version that holds it, each once."""
    found = [home.store.find(*s) for s in sorted({(s["set"], s["version"]) for s in sets})]
    worlds = [(s, ancestry(home.store, s)) for s in found if s is not None]
    return derivation(worlds) if worlds else "It is in no set whose making is stored."


def _check(home: "Home", story: Fact) -> str:
    """Commands by which somebody else finds the same."""
    lines = [
        f"{OPENS[s['offset_within']][ending]} {shlex.quote(s['file'])} | tail -c +{s['byte_offset'] + 1} | head -c {s['length']} | sha256sum"
        for s in story["sources"]
        if s["file"]
        and (ending := Path(s["file"]).suffix if s["offset_within"] != "the file" else "")
        in OPENS.get(s["offset_within"], {})
    ]
    lines += [f"flywheel why {shlex.quote(story['id'])} --home {shlex.quote(str(home.path))}"]
    lines += [
        f"sed -n {s['line']}p {shlex.quote(str(Path(s['path']) / s['file']))}"
        for s in story["sets"]
        if s["path"] and s["line"] is not None and s["file"].endswith(".jsonl")
    ]
    return "The digest of each raw line, the same story, and each line of the exports:\n\n" + block(*lines)


# --- one version of a set


def _of_set(home: "Home", snapshot: Snapshot, chain: Sequence[Snapshot]) -> Iterable[str]:
    """The sections on one version of a set."""
    by_name = {s.name: s for s in chain}
    yield f"# Lineage of the set {snapshot.name}, version {code(snapshot.version[:12])}"
    counts = {side: snapshot.notes.get(side, 0) for side in ("train", "validation")}
    yield (
        f"{snapshot.count():,} examples ({counts['train']:,} in training, {counts['validation']:,} in validation), made of the raw "
        "files below by the steps below. The same files, recipe and engine give the same bytes."
    )
    raw = by_name.get("raw_files")
    names = {f.digest: f.name for f in home.raw.files()}
    digests = {p.name.partition("-")[0] for p in raw.parts} if raw else set()
    files = sorted((names.get(d, "gone"), d) for d in digests)
    yield "## 1. Raw files\n\n" + table(["file", "SHA-256"], [[code(name), code(d)] for name, d in files])
    yield "## 2. Rows at each stage\n\n" + table(
        ["dataset", "version", "rows", "left out"],
        [
            [
                s.name,
                code(s.version[:12]),
                f"{s.count():,}",
                f"{s.count('rejected'):,}" if "rejected" in s.schemas else "–",
            ]
            for s in (*reversed(chain), snapshot)
            if "rows" in s.schemas
        ],
    )
    yield "## 3. How it was made\n\n" + derivation([(snapshot, chain)])
    released = {"path": str(home.exports / snapshot.name / snapshot.version[:12]), "set": snapshot.name}
    yield "## 4. Rights\n\n" + _rights([released | {"version": snapshot.version[:12]}])
    at = shlex.quote(str(home.path))
    yield "## 5. How to ask further\n\n" + block(
        f"flywheel why ID --home {at}        # ids are in rows.parquet of the release",
        f"flywheel diff {snapshot.name} --home {at}",
        f"flywheel trace --file FILE --home {at}",
    )


def derivation(worlds: Sequence[tuple[Snapshot, Sequence[Snapshot]]]) -> str:
    """The steps from the logs to some snapshots: each operator with its version and every parameter."""
    rows = [
        [
            s.name,
            *map(code, (s.version[:12], s.derivation.operation, f"{step.use}@{step.version}", _given(step.parameters))),
        ]
        for snapshot, chain in worlds
        for s in (*reversed(chain), snapshot)
        for step in s.derivation.steps
        if step.use != "arrivals"
    ]
    once = list({tuple(row): row for row in rows}.values())
    return table(["dataset", "version", "stage", "operator", "parameters"], once)


def _given(parameters: Fact) -> str:
    return ", ".join(
        f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in parameters.items() if v not in (None, {}, [])
    )


# --- Markdown that nothing in a log can break


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    return "\n".join("| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows])


def code(value: object) -> str:
    """A value as code: on one line, no back-tick, bar or "<", nothing that is not printable, not too long."""
    flat = plain(" ".join(str(value).split()))[:LONGEST]
    shown = flat.translate(HARMLESS)
    return f"`{shown}`" if shown else ""


def block(*lines: str) -> str:
    """Lines in a fence longer than any run of back-ticks in them."""
    shown = [plain(line)[: 4 * LONGEST] for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *shown, fence])
