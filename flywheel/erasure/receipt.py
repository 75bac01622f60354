"""The receipt of an erasure: what went, from where, which releases and runs had used it, and the proof. No name, no text.

HOME/receipts/<id>.json, <id>.md
"""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from flywheel.erasure.subject import Subject
from flywheel.erasure.suppression import sealed
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.records import short_hash
from flywheel.storage.releases import exported, is_set
from flywheel.storage.results import runs_of
from flywheel.storage.snapshots import Snapshot, replace_synced

FOLDER = "receipts"
WHOLE, RAW = "home", "raw"
SEARCHED = {
    WHOLE: "Files searched afterwards, all that are in the home",
    RAW: "Nothing of them was there; they are kept from coming in. Files searched, those of the raw logs and no others",
}
"""What the search at the end looked at, and how a receipt says so."""
LIFTED = "-lifted"
"""How the name of a receipt ends that tells of an erasure taken back."""


def marks(kind: str, value: str, secret: bytes) -> list[str]:
    """What a receipt knows a subject by: keyed digests, which a later request for the same name gives again."""
    named = {value} | ({pseudonym(value, secret)} if kind == "user" else set())
    return sorted(sealed(f"request:{kind}", name, secret) for name in named)


def receipts(home: Home) -> list[Path]:
    """The receipts of the erasures that were done; not those of liftings."""
    return sorted(p for p in (home.path / FOLDER).glob("*.json") if not p.stem.endswith(LIFTED))


def earlier(home: Home, kind: str, value: str) -> list[dict[str, Any]]:
    """Receipts of erasures that this request, or one for the same subject, had."""
    wanted = set(marks(kind, value, home.secret))
    found = []
    for path in receipts(home):
        told = json.loads(path.read_bytes())
        if wanted & set(told["subject"]):
            found.append(told)
    return found


def taken_stock(home: Home, subject: Subject) -> dict[str, Any]:
    """Before anything goes: the files, the rows of every dataset, the versions of every set and the runs that used them."""
    ids = row_ids(home, subject)
    heads = {name: home.store.head(name) for name in home.store.names()} if ids else {}
    rows = {name: n for name, head in heads.items() if (n := _rows(head, ids))}
    versions = [v for name, head in heads.items() if is_set(head) for v in _candidates(home, name, ids)]
    versions += [
        {"set": e.set, "version": e.version, "examples": n, "released": True, "current": e.current}
        for e in (exported(home) if ids else ())
        if (n := sum(_count(pl.scan_parquet(f, glob=False), ids) for f in e.folder.rglob("rows.parquet")))
    ]
    listed = {(v["set"], v["version"]): v for v in versions}
    names = {f.digest: f for f in home.raw.files()}
    files = [
        {"file": digest, "name": names[digest].name, "lines": part.height}
        for (digest,), part in subject.lines.partition_by("file", as_dict=True, maintain_order=True).items()
    ]
    return {
        "lines": dict(subject.counts),
        "files": sorted(files, key=lambda f: f["file"]),
        "rows": rows,
        "row_marks": sorted(sealed("row", id, home.secret) for id in ids),
        "versions": sorted(listed.values(), key=lambda v: (v["set"], v["version"])),
        "runs": [run for s, v in sorted(listed) for run in runs_of(home, s, v)],
    }


def row_ids(home: Home, subject: Subject) -> list[str]:
    """Ids of the conversations and events that were read from these lines."""
    found: set[str] = set()
    if subject.lines.is_empty():
        return []
    wanted = subject.lines.lazy().select("file", "line")
    for name, column in (("conversations", "id"), ("feedback", "feedback_id")):
        if home.store.head_key(name) is not None:
            raw = home.store.head(name).scan().select(column, r=pl.col("raw")).explode("r")
            told = raw.select(column, file=pl.col("r").struct.field("file"), line=pl.col("r").struct.field("line"))
            found |= set(told.join(wanted, on=["file", "line"], how="semi").collect()[column])
    return sorted(found)


def _rows(head: Snapshot, ids: list[str]) -> int:
    return sum(_count(head.scan(table), ids) for table in head.schemas if table != "files")


def _count(rows: pl.LazyFrame, ids: list[str]) -> int:
    """Rows that are theirs, or were made of what is theirs: of their rows, or by feedback of theirs on others' calls."""
    have = rows.collect_schema()
    theirs = [pl.col(c).is_in(ids) for c in ("id", "feedback_id") if c in have]
    theirs += [
        pl.col(c).list.eval(pl.element().is_in(ids)).list.any()
        for c in ("parents", "feedback")
        if have.get(c) == pl.List(pl.String)
    ]
    if not theirs:
        return 0
    return int(rows.select(pl.any_horizontal(theirs).fill_null(False).sum()).collect().item() or 0)


def _candidates(home: Home, name: str, ids: list[str]) -> list[dict[str, Any]]:
    """Every version of a set that is stored and holds examples of them."""
    found = []
    for version in sorted({m.version for m in home.store.history(name)}):
        snapshot = home.store.find(name, version)
        if snapshot is not None and (n := _count(snapshot.scan(), ids)):
            found.append({"set": name, "version": version[:12], "examples": n, "released": False, "current": False})
    return found


def write(home: Home, told: Mapping[str, Any]) -> dict[str, Any]:
    """Write a receipt, as JSON and to be read. Returns it with its id."""
    receipt = {"id": id_of(told), **told}
    put(home, str(receipt["id"]), receipt, readable(receipt))
    return receipt


def id_of(told: Mapping[str, Any]) -> str:
    """The id of the receipt of an erasure: the same for a run that ends it a second time."""
    return short_hash(told["began"], *told["subject"])[:12]


def put(home: Home, name: str, receipt: Mapping[str, Any], text: str) -> None:
    """Put a receipt in place; as JSON last, by which it counts as written."""
    folder = home.path / FOLDER
    folder.mkdir(exist_ok=True)
    replace_synced(folder / f"{name}.md", text.encode())
    replace_synced(folder / f"{name}.json", orjson.dumps(receipt, option=orjson.OPT_INDENT_2))


def now() -> str:
    """This moment, UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def readable(receipt: Mapping[str, Any]) -> str:
    """A receipt as Markdown, for the one who asked and for whoever audits it."""
    proof = receipt["proof"]
    lines = [
        f"# Receipt of erasure {receipt['id']}",
        "",
        f"Of one {receipt['kind']}, known here only by the keyed digest `{receipt['subject'][0]}`. "
        f"Begun {receipt['began']}, ended {receipt['ended']}.",
        "",
        f"- Lines of logs and feedback: {sum(receipt['lines'].values()):,}"
        + (f" ({', '.join(f'{k} {n:,}' for k, n in receipt['lines'].items())})" if receipt["lines"] else ""),
        f"- Rows and examples, over all datasets: {sum(receipt['rows'].values()):,}",
        f"- {SEARCHED[proof['searched']]}: {proof['files']:,}, {proof['unpacked']:,} bytes unpacked, for {proof['sought']:,} values: "
        + ("**nothing found**." if proof["clean"] else "**something is left**, see below."),
    ]
    if proof["shared"]:
        lines.append(f"- {proof['shared']:,} pieces of text are others' words, too, and stay in the lines of those.")
    if proof["sought"] < proof["of"]:
        lines.append(
            f"- There were {proof['of']:,} values; those with the smallest hash were searched for, every snapshot but the newest and "
            "every version that held any of them was removed whole, and Dagster's records were searched for all."
        )
    if proof["untold"]:
        lines.append(f"- {proof['untold']:,} names are too short to be searched for in texts.")
    lines += ["", "| Raw file (SHA-256 as received) | Name | Lines | SHA-256 now |", "| --- | --- | --- | --- |"]
    lines += [f"| `{f['file'][:16]}` | {f['name']} | {f['lines']:,} | `{f['now'][:16]}` |" for f in receipt["files"]]
    lines += ["", "| Set | Version | Examples | Released | Current |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {v['set']} | `{v['version']}` | {v['examples']:,} | {'yes' if v['released'] else 'no'} | {'yes' if v['current'] else 'no'} |"
        for v in receipt["versions"]
    ]
    if receipt["runs"]:
        lines += ["", "Models trained on them, which this cannot undo:", ""]
        lines += [f"- `{r['run']}` on {r['set']} `{r['version']}`" for r in receipt["runs"]]
    if receipt["left"]:
        lines += ["", "Left, because they are your own files:", "", *[f"- `{name}`" for name in receipt["left"]]]
    lines += [
        "",
        "Copies outside of the home (the originals of the logs, backups, what was trained) are not touched by this.",
        "",
    ]
    return "\n".join(lines)


def path_of(home: Home, receipt: Mapping[str, Any]) -> Path:
    """The readable receipt."""
    return home.path / FOLDER / f"{receipt['id']}.md"
