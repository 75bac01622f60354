"""Lineage of one row, both ways: back to the bytes it was read from, forward to every set that holds it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flywheel.errors import UnknownRow
from flywheel.logs.raw import BrokenOff, RawFile, lines

if TYPE_CHECKING:
    from flywheel.storage.catalog import Catalog

Fact = dict[str, Any]
EVENT = "feedback_id, kind, explicit, actor_kind, actor, value, target_id, occurred_at::VARCHAR AS occurred_at, received_at::VARCHAR AS received_at, raw"


def why(catalog: "Catalog", wanted: str) -> Fact:
    """Everything known of one row: `{id, kind, sources, steps, sets}`.

    `wanted` is an id of ours ("openai_chat:req_x"), the application's own ("req_x"), an example's or a feedback event's;
    or a place, FILE:N, of an export or a raw file (`places.at_place`).
    `sources`: one entry per raw line behind it, its `digest` taken from the raw file now; `intact` says whether that is still the
    digest it was read with. `steps`: what happened to it, from ingest to export, each `{stage, what, ...}`. `sets`: every version of
    every set that holds it. Raises `UnknownRow` with the nearest ids.
    """
    kind, id, parents = named(catalog, wanted)
    made = _examples(catalog, kind, id, parents, "conversation")
    sets = _sets(catalog, _examples(catalog, kind, id, [], "feedback") if kind == "feedback" else made)
    calls = _in(
        catalog,
        "SELECT id, digest, native_id, status, day::VARCHAR AS day, raw FROM conversations WHERE id IN",
        parents,
    )
    events = _events(catalog, kind, id, parents)
    sources = _sources(
        catalog,
        [(c["id"], "log", c["raw"]) for c in calls] + [(e["feedback_id"], "feedback", e["raw"]) for e in events],
    )
    steps = [
        *_ingested(catalog, sources, parents, [e["feedback_id"] for e in events]),
        *_labelled(catalog, events),
        *_measured(catalog, parents),
        *_screened(catalog, calls),
        *_curated(catalog, parents),
        *_assembled(catalog, kind, id, parents, made),
        *[
            {
                "stage": "export",
                "of": s["example"],
                "what": f"{s['set']} {s['version']}: line {s['line']} of {s['split']} ({s['file']})",
            }
            | {k: s[k] for k in ("set", "version", "split", "line", "file", "current")}
            for s in sets
            if s["line"] is not None
        ],
    ]
    return {"id": id, "kind": kind, "sources": sources, "steps": steps, "sets": sets}


def named(catalog: "Catalog", wanted: str) -> tuple[str, str, list[str]]:
    """What an id names: its kind, itself in full, and the conversations behind it."""
    exact = catalog.rows("SELECT id FROM conversations WHERE id = ?", [wanted]) or catalog.rows(
        "SELECT id FROM conversations WHERE native_id = ? OR response_id = ? ORDER BY choice, id LIMIT 1",
        [wanted, wanted],
    )
    if exact:
        return "conversation", exact[0]["id"], [exact[0]["id"]]
    for table in ("examples", "example_rejected"):
        if found := catalog.rows(f"SELECT id, parents FROM {table} WHERE id = ? ORDER BY head DESC LIMIT 1", [wanted]):
            return "example", wanted, sorted(found[0]["parents"] or [])
    event = catalog.rows(
        "SELECT f.feedback_id, l.id FROM feedback f LEFT JOIN feedback_ledger l USING (feedback_id) "
        "WHERE f.feedback_id = ? OR split_part(f.feedback_id, ':', 2) = ? ORDER BY f.feedback_id LIMIT 1",
        [wanted, wanted],
    )
    if event:
        return "feedback", event[0]["feedback_id"], [event[0]["id"]] if event[0]["id"] else []
    aside = catalog.rows(
        "SELECT id, kept_id FROM set_aside WHERE id = ? OR split_part(id, ':', 2) = ? ORDER BY id LIMIT 1",
        [wanted, wanted],
    )
    if aside and aside[0]["kept_id"] and aside[0]["kept_id"] != wanted:
        return named(catalog, aside[0]["kept_id"])
    from flywheel.audit.places import at_place

    if (found_at := at_place(catalog, wanted)) is not None:
        return named(catalog, found_at)
    close = catalog.rows(
        "SELECT id FROM (SELECT unnest([id, native_id]) AS id FROM conversations UNION SELECT id FROM examples UNION SELECT feedback_id FROM feedback) "
        "WHERE jaro_winkler_similarity(id, $1) > 0.8 ORDER BY jaro_winkler_similarity(id, $1) DESC, id LIMIT 3",
        [wanted],
    )
    hint = (
        f" Nearest: {', '.join(c['id'] for c in close)}."
        if close
        else " Ids look like openai_chat:req_x; find them in rows.parquet of an export."
    )
    if not catalog.rows("SELECT 1 FROM snapshots LIMIT 1"):
        hint = " Nothing has been built in this home yet. Run: flywheel build"
    raise UnknownRow(f'no conversation, example or feedback event has the id "{wanted[:200]}".{hint}')


def _in(catalog: "Catalog", query: str, ids: Iterable[str], rest: str = "ORDER BY ALL") -> list[Fact]:
    """A query over a list of ids; nothing for an empty list."""
    listed = sorted(set(ids))
    return catalog.rows(f"{query} ({', '.join('?' * len(listed))}) {rest}", listed) if listed else []


def _events(catalog: "Catalog", kind: str, id: str, parents: Sequence[str]) -> list[Fact]:
    """The feedback events behind a row: of its label, its comparisons, its example, and those that were set aside for it."""
    ids = {id} if kind == "feedback" else set()
    if kind == "example":
        found = catalog.rows("SELECT DISTINCT unnest(feedback) AS f FROM examples WHERE id = ?", [id])
        ids = {r["f"] for r in found}
    if not ids:
        ids |= {r["f"] for r in _in(catalog, "SELECT unnest(feedback) AS f FROM labels WHERE id IN", parents)}
        ids |= {r["feedback_id"] for r in _in(catalog, "SELECT feedback_id FROM feedback_ledger WHERE id IN", parents)}
        for side in ("chosen", "rejected"):
            ids |= {
                r["feedback_id"] for r in _in(catalog, f"SELECT feedback_id FROM comparisons WHERE {side} IN", parents)
            }
    return _in(
        catalog, f"SELECT {EVENT} FROM feedback WHERE feedback_id IN", ids, "ORDER BY feedback.occurred_at, feedback_id"
    )


def _sources(catalog: "Catalog", owners: Sequence[tuple[str, str, list[Fact] | None]]) -> list[Fact]:
    """One entry per raw line, re-read from the raw file now."""
    wanted = [(owner, kind, ref) for owner, kind, refs in owners for ref in refs or []]
    read = {
        file: read_lines(catalog.raw_files.get(file), [r for _, _, r in wanted if r["file"] == file])
        for file in {r["file"] for _, _, r in wanted}
    }
    sources = []
    for owner, kind, ref in wanted:
        file = catalog.raw_files.get(ref["file"])
        data = read[ref["file"]].get(ref["line"])
        digest = hashlib.sha256(data).hexdigest() if data is not None else None
        sources.append(
            {"of": owner, "kind": kind, "file": str(file.path) if file else None, "name": file.name if file else None}
            | {"line": ref["line"], "byte_offset": ref["offset"], "length": ref["length"], "digest": digest}
            | {"intact": digest == ref["digest"], "file_digest": ref["file"], "offset_within": _within(file)}
        )
    return sources


def _within(file: RawFile | None) -> str:
    """What a byte offset counts in."""
    ending = file.path.suffix.lower() if file else ""
    return {".gz": "the decompressed file", ".zst": "the decompressed file", ".parquet": "rows"}.get(ending, "the file")


def read_lines(file: RawFile | None, refs: Sequence[Fact]) -> dict[int, bytes]:
    """The bytes of some lines of a raw file, by line number; a line that cannot be read any more is left out."""
    if file is None:
        return {}
    found: dict[int, bytes] = {}
    try:
        if _within(file) == "the file":
            with file.path.open("rb") as f:
                for ref in refs:
                    f.seek(ref["offset"])
                    found[ref["line"]] = f.read(ref["length"])
        else:
            wanted = {r["line"] for r in refs}
            for line in lines(file.path):
                if line.number in wanted:
                    found[line.number] = line.data
                if len(found) == len(wanted):
                    break
    except (OSError, BrokenOff):
        pass
    return found


def _ingested(catalog: "Catalog", sources: Sequence[Fact], parents: Sequence[str], events: Sequence[str]) -> list[Fact]:
    steps: list[Fact] = [
        {
            "stage": "ingest",
            "of": s["of"],
            "what": f"read from line {s['line']:,} of {s['name'] or 'a raw file that is gone'}",
            "intact": s["intact"],
        }
        for s in sources
    ]
    for table, ids in (("set_aside", parents), ("feedback_set_aside", events)):
        for row in _in(catalog, f'SELECT kept_id, status, file, line, "offset" FROM {table} WHERE kept_id IN', ids):
            name = catalog.raw_files[row["file"]].name if row["file"] in catalog.raw_files else row["file"]
            said = {"repeated": "the same again", "id_conflict": "another call under the same id"}.get(
                row["status"], row["status"]
            )
            steps.append(
                {
                    "stage": "ingest",
                    "of": row["kept_id"],
                    "what": f"{said} in line {row['line']:,} of {name}; set aside",
                }
                | {
                    "status": row["status"],
                    "file_digest": row["file"],
                    "line": row["line"],
                    "byte_offset": row["offset"],
                }
            )
    return steps


def _labelled(catalog: "Catalog", events: Sequence[Fact]) -> list[Fact]:
    ledger = {
        r["feedback_id"]: r
        for r in _in(
            catalog,
            "SELECT feedback_id, id, status, late, why FROM feedback_ledger WHERE feedback_id IN",
            [e["feedback_id"] for e in events],
        )
    }
    steps = []
    for event in events:
        entry = ledger.get(event["feedback_id"], {})
        value = f" {event['value']:+g}" if event["value"] is not None and event["kind"] == "thumb" else ""
        value = f" {event['value']:g}" if event["value"] is not None and event["kind"] == "rating" else value
        said = (
            f"{event['kind']}{value} by {event['actor_kind'] or 'someone'}: {entry.get('status', 'not labelled yet')}"
        )
        said += ", late" if entry.get("late") else ""
        said += f" ({entry['why']})" if entry.get("why") else ""
        steps.append(
            {"stage": "label", "of": entry.get("id"), "what": said}
            | {k: v for k, v in event.items() if k != "raw"}
            | {k: entry.get(k) for k in ("status", "late", "why")}
        )
    return steps


def _measured(catalog: "Catalog", parents: Sequence[str]) -> list[Fact]:
    found = _in(catalog, "SELECT * EXCLUDE (day) FROM signals WHERE id IN", parents)
    return [
        {
            "stage": "measure",
            "of": r["id"],
            "what": f"{len(r) - 1} signals measured",
            "signals": {k: v for k, v in r.items() if k != "id"},
        }
        for r in found
    ]


def _screened(catalog: "Catalog", calls: Sequence[Fact]) -> list[Fact]:
    ids = [c["id"] for c in calls]
    kept = {r["id"]: r for r in _in(catalog, "SELECT id, digest, undesired FROM screened WHERE id IN", ids)}
    no = {r["id"]: r for r in _in(catalog, "SELECT id, digest, reasons FROM screened_rejected WHERE id IN", ids)}
    edits = _in(
        catalog,
        "SELECT id, message, field, edit, count, chars_before, chars_after, tokens_saved FROM edits WHERE id IN",
        ids,
    )
    steps: list[Fact] = []
    for call in calls:
        after = kept.get(call["id"]) or no.get(call["id"])
        at = {"stage": "curate", "of": call["id"]}
        steps += [
            at
            | {"what": f"{e['edit']} changed {_place(e)} ({e['count']} times)"}
            | {k: v for k, v in e.items() if k != "id"}
            | {"digest_before": call["digest"], "digest_after": after["digest"] if after else None}
            for e in edits
            if e["id"] == call["id"]
        ]
        if call["id"] in no:
            steps.append(
                at | {"what": f"rejected: {', '.join(no[call['id']]['reasons'])}", "reasons": no[call["id"]]["reasons"]}
            )
        elif call["id"] in kept:
            undesired = kept[call["id"]]["undesired"] or []
            steps.append(
                at
                | {
                    "what": f"passed, but not to be imitated: {', '.join(undesired)}"
                    if undesired
                    else "passed every filter",
                    "undesired": undesired,
                }
            )
    return steps


def _place(edit: Fact) -> str:
    return f"{edit['field']} of message {edit['message']}" if edit["message"] >= 0 else str(edit["field"])


def _curated(catalog: "Catalog", parents: Sequence[str]) -> list[Fact]:
    steps: list[Fact] = []
    for r in _in(catalog, "SELECT id, reasons, instead, similarity FROM curated_rejected WHERE id IN", parents):
        how = f" (similarity {r['similarity']:.3f})" if r["similarity"] is not None else ""
        steps.append(
            {
                "stage": "curate",
                "of": r["id"],
                "what": f"{', '.join(r['reasons'])}: {r['instead']} is kept instead{how}",
            }
            | {k: r[k] for k in ("reasons", "instead", "similarity")}
        )
    for r in _in(
        catalog,
        "SELECT instead, list(id ORDER BY id) AS ids FROM curated_rejected WHERE instead IN",
        parents,
        "AND NOT list_contains(reasons, 'shared_passages') GROUP BY instead ORDER BY instead",
    ):
        steps.append(
            {
                "stage": "curate",
                "of": r["instead"],
                "what": f"kept instead of {len(r['ids'])} duplicate{'s' if len(r['ids']) > 1 else ''}",
                "duplicates": r["ids"],
            }
        )
    return steps


def _assembled(catalog: "Catalog", kind: str, id: str, parents: Sequence[str], made: Sequence[Fact]) -> list[Fact]:
    """What each candidate did with the row; `made`: the examples made of its conversations."""
    chosen = [e for e in made if e["head"]]
    behind = _links(catalog, parents, "refused") if kind != "example" else {}
    no = [
        n | {"of": behind.get((n["set"], n["version"], n["id"]), n["id"])}
        for n in _in(
            catalog,
            "SELECT set, version, id, parents, reasons, instead, head FROM example_rejected WHERE head AND id IN",
            {*([id] if kind == "example" else parents), *(example for _, _, example in behind)},
        )
    ]
    steps: list[Fact] = []
    for set_name in sorted({r["set"] for r in chosen + no}):
        for c in chosen:
            if c["set"] == set_name:
                cell = f" for {c['cell']}" if c["cell"] else ""
                steps.append(
                    {"stage": "assemble", "what": f"{set_name}: chosen{cell}, {c['split']}"}
                    | c
                    | {"version": c["version"][:12], "example": c["id"]}
                )
        for n in no:
            if n["set"] == set_name:
                steps.append(
                    {
                        "stage": "assemble",
                        "what": f"{set_name}: not taken, {', '.join(n['reasons'])}{_kept(n['instead'])}",
                    }
                    | {k: v for k, v in n.items() if k != "instead" or v}
                    | {"version": n["version"][:12], "example": n["id"]}
                )
    return [{k: v for k, v in s.items() if k not in ("id", "head")} for s in _once(steps)]


def _links(catalog: "Catalog", of: Sequence[str], kind: str) -> dict[tuple[str, str, str], str]:
    """Set, version and id of each example that is linked to one of these ids, and which."""
    found = _in(catalog, f"SELECT set, version, id, of FROM example_links WHERE kind = '{kind}' AND of IN", of)
    return {(r["set"], r["version"], r["id"]): r["of"] for r in found}


def _examples(catalog: "Catalog", kind: str, id: str, parents: Sequence[str], link: str) -> list[Fact]:
    """The examples, of every version shown, that are made of a row; `of` says which of its conversations or events."""
    of = [id] if kind != "conversation" else parents
    linked = _links(catalog, of, link) if kind != "example" else {}
    own = {*of} if link == "conversation" else set()
    query = 'SELECT set, version, id, cell, split, "group", signal, head FROM examples WHERE id IN'
    found = _in(catalog, query, {*own, *(example for _, _, example in linked)})
    placed = [e | {"of": linked.get((e["set"], e["version"], e["id"]))} for e in found]
    return [e | {"of": e["of"] or e["id"]} for e in placed if e["of"] or e["id"] in own]


def _kept(instead: str | None) -> str:
    return f"; {instead} is kept instead" if instead else ""


def _once(steps: list[Fact]) -> list[Fact]:
    """Each step once, though an example and its refusal may be found by several parents."""
    seen = {json.dumps([s["set"], s["example"], s["what"]]): s for s in reversed(steps)}
    return list(reversed(seen.values()))


def _sets(catalog: "Catalog", held: Sequence[Fact]) -> list[Fact]:
    """Every set version, candidate or exported, that holds one of these examples."""
    lines = _in(
        catalog,
        "SELECT set, version, example_id, line, file FROM release_lines WHERE NOT contains(file, '/') AND example_id IN",
        {e["id"] for e in held},
    )
    at = {(r["set"], r["version"], r["example_id"]): r for r in lines}
    released = {(r["set"], r["version"]): r for r in catalog.rows("FROM releases")} if held else {}
    sets = []
    for e in held:
        version = e["version"][:12]
        line, release = at.get((e["set"], version, e["id"]), {}), released.get((e["set"], version))
        sets.append(
            {
                "set": e["set"],
                "version": version,
                "split": e["split"],
                "line": line.get("line"),
                "file": line.get("file"),
            }
            | {"example": e["id"], "candidate": e["head"], "released": release is not None}
            | {"current": bool(release and release["current"]), "path": release and release["path"]}
            | {"rank": release["rank"] if release else None}
        )
    sets.sort(key=lambda s: (s["set"], s["rank"] is None, s["rank"] or 0, s["version"], s["example"]))
    return [{k: v for k, v in s.items() if k != "rank"} for s in sets]
