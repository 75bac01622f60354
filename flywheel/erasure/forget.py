"""An erasure, from the request to the receipt, in steps that can be done again: a kill at any moment is ended by the next run.

    HOME/forgetting.json    what is being forgotten; it holds names, only this user reads it, and it goes when all is done

`plan` says what would go and changes nothing. `begin` notes it; `blank` makes the raw lines blank and puts the names on the
list; then the sets are built anew; `finish` removes every copy, looks at every byte, and writes the receipt.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from flywheel.erasure import receipt
from flywheel.erasure.needles import Needles
from flywheel.erasure.purge import empty_cache, only_newest, purge, remove_export, scrub_records
from flywheel.erasure.search import Searched, files_of, search, told
from flywheel.erasure.subject import Request, Subject, find
from flywheel.erasure.suppression import RENAMED, add, read, stand_in
from flywheel.errors import ErasureUnfinished, UnknownRow
from flywheel.home import FOLDERS, Home
from flywheel.logs import blank as blanking
from flywheel.logs.inbox import Dropped, put_back, remember, take, taken
from flywheel.logs.raw import RawFile
from flywheel.stages import ingest
from flywheel.storage.catalog import Catalog
from flywheel.storage.snapshots import replace_synced

JOURNAL = "forgetting.json"
ROUNDS = 3
"""How often what is found is removed and looked for again: removing an export, say, leaves a manifest behind."""


@dataclass(frozen=True)
class Plan:
    """What would go."""

    subject: Subject
    stock: Mapping[str, Any]
    """See `receipt.taken_stock`."""


def plan(home: Home, kind: str, value: str) -> Plan:
    """What a request would remove. Files that wait in the inbox are taken first. Call while holding the home's lock.

    Raises `UnknownRow` where nothing of them is there and they cannot be kept from coming in, or are already: it names the
    receipts there are.
    """
    take(home)
    files = home.store.publish(ingest.read_files(home.raw, home.secret))
    try:
        subject = find(Request(kind, value), files, home.raw.files(), home.recipe(), home.secret)
    except UnknownRow as e:
        known = [r["id"] for r in receipt.earlier(home, kind, value)]
        raise UnknownRow(f"{e} They were forgotten before: receipt {', '.join(known)}." if known else str(e)) from None
    if subject.nothing and (standing := _standing(home, kind, value)):
        raise UnknownRow(
            f"there is nothing of that {kind} in this home. They were forgotten before, and are kept from coming in: receipt "
            f"{', '.join(standing)}."
        )
    return Plan(subject, receipt.taken_stock(home, subject))


def _standing(home: Home, kind: str, value: str) -> list[str]:
    """Receipts of the same request whose entry is on the list, not lifted."""
    entries = read(home.raw.root).entries
    return [r["id"] for r in receipt.earlier(home, kind, value) if r["id"] in entries]


def unfinished(home: Home) -> dict[str, Any] | None:
    """The erasure that was begun and did not end, if there is one."""
    try:
        data = (home.path / JOURNAL).read_bytes()
    except FileNotFoundError:
        return None
    # Empty: an older flywheel was killed before it noted anything.
    noted: dict[str, Any] | None = orjson.loads(data) if data else None
    return noted


def begin(home: Home, planned: Plan) -> None:
    """Note what is to be forgotten; from here on it will be, whatever happens."""
    subject, request = planned.subject, planned.subject.request
    lines = {
        str(file): sorted(part["line"]) for (file,), part in subject.lines.partition_by("file", as_dict=True).items()
    }
    noted = {
        "kind": request.kind,
        "subject": receipt.marks(request.kind, request.value, home.secret),
        "began": receipt.now(),
        "lines": lines,
        "names": {kind: sorted(names) for kind, names in subject.names.items()},
        "needles": [list(v) for v in (subject.needles.quoted, subject.needles.ids, subject.needles.texts)],
        "shared": subject.shared,
        "untold": subject.untold,
        "named_after": sorted(subject.named_after),
        "stock": planned.stock,
    }
    replace_synced(home.path / JOURNAL, orjson.dumps(noted), mode=0o600)


def blank(home: Home) -> None:
    """Of an erasure begun: put its names on the list and blank its lines, in the raw store and in the inbox. Harmless when done
    before, or when there is none. Call while holding the home's lock."""
    if (noted := unfinished(home)) is None:
        return
    add(home.raw.root, receipt.id_of(noted), noted["kind"], noted["began"], noted["names"], home.secret)
    named = set(noted["named_after"])
    for digest in sorted({*noted["lines"], *named}):
        if (file := home.raw.find(digest)) is not None:
            name = stand_in(file.name) if digest in named else None
            now = blanking.forget(file, noted["lines"].get(digest, ()), name)
            _blank_inbox(home, now, leave=digest not in named)


def _blank_inbox(home: Home, file: RawFile, leave: bool) -> None:
    """The files of the inbox that were taken as this raw file get its bytes; those named after somebody go."""
    for mark in [m for m, digest in taken(home).items() if digest == file.digest]:
        dropped = Dropped.marked(home.inbox, mark)
        if not leave:
            dropped.path.unlink(missing_ok=True)
            _without_empty(dropped.path.parent, home)
            remember(home, {}, but=[mark])
        elif dropped.path.is_file() and not dropped.path.is_symlink() and dropped.path.stat().st_size == dropped.size:
            remember(home, {put_back(dropped, file): file.digest})


def _without_empty(folder: Path, home: Home) -> None:
    """Remove the folders of the inbox that have become empty, for they may be named after somebody; those of every home stay."""
    kept = {home.inbox, *(home.path / name for name in FOLDERS)}
    with suppress(OSError):  # not empty
        while folder not in kept:
            folder.rmdir()
            folder = folder.parent


def finish(home: Home, rebuilt: Mapping[str, Any], seconds: Mapping[str, float]) -> dict[str, Any]:
    """Remove every copy there is, look at every byte of the home, write the receipt and end the erasure. Returns the receipt.

    Where nothing of them was there nothing is removed, and only the raw files are looked at.

    Call while holding the home's lock, after the build. Raises `ErasureUnfinished` where something of them is left that is
    flywheel's to remove; the erasure then stays open.
    """
    noted = unfinished(home)
    assert noted is not None, "no erasure was begun"
    sought, began = Needles(*(tuple(v) for v in noted["needles"])), time.monotonic()
    if removes(noted):
        done, emptied = _removed(home, noted, sought)
    else:
        done, emptied = search(files_of(home.raw.root), sought.some()), False
    for file in noted["stock"]["files"]:
        there = home.raw.find(file["file"])
        file |= {"now": there.bytes_digest, "name": there.name} if there else {"now": "", "name": RENAMED}
    said = {
        **{k: noted[k] for k in ("kind", "subject", "began")},
        "ended": receipt.now(),
        **noted["stock"],
        "rebuilt": dict(rebuilt),
        "seconds": {k: round(v, 1) for k, v in {**seconds, "remove_and_search": time.monotonic() - began}.items()},
        "cache_emptied": emptied,
        "left": told(done.found, home.path),
        "proof": {
            "clean": not done.found,
            "searched": receipt.WHOLE if removes(noted) else receipt.RAW,
            "sought": len(sought.some()),
            "of": len(sought),
            "shared": noted["shared"],
            "untold": noted["untold"],
        }
        | {k: getattr(done, k) for k in ("files", "size", "unpacked")},
    }
    made = receipt.write(home, said)
    (home.path / JOURNAL).unlink()
    return made


def removes(noted: Mapping[str, Any]) -> bool:
    """Whether an erasure that was begun has anything to remove."""
    return bool(noted["lines"] or noted["named_after"])


def _removed(home: Home, noted: Mapping[str, Any], sought: Needles) -> tuple[Searched, bool]:
    """Remove every copy; what the search then found, and whether there were vectors to remove."""
    home.store.sweep()
    home.raw.sweep()
    emptied = empty_cache(home)
    for path in home.path.glob("catalog.duckdb*"):
        path.unlink()
    for version in noted["stock"]["versions"]:
        remove_export(home.exports / version["set"], version["version"])
    if len(sought.some()) < len(sought):  # more than can be looked for everywhere
        only_newest(home)
        scrub_records(home, sought)
    done, left = _purged(home, sought.some())
    if left_ours := [p for p in done.found if p not in left]:
        raise ErasureUnfinished(
            f"something of them is still in {', '.join(told({p: set() for p in left_ours}, home.path)[:5])}. Is another program at "
            f"work in the home, such as flywheel up? End it, then run: flywheel build --home {home.path}"
        )
    return done, emptied


def _purged(home: Home, sought: Needles) -> tuple[Searched, list[Path]]:
    """Look at every file, remove what is found, look again at what was touched, and at the catalog made anew."""
    without = [home.path / JOURNAL]
    seen = {p: p.stat().st_mtime_ns for p in files_of(home.path, without)}
    done, left = search(seen, sought), []
    for _ in range(ROUNDS):
        ours = [p for p in done.found if p not in left]
        if not ours:
            break
        left += purge(home, ours, sought)[1]
        again = search(_touched(files_of(home.path, without), seen, ours), sought)
        done.found = {p: held for p, held in done.found.items() if p in left} | again.found
    with Catalog.open(home):
        pass
    after = search(_touched(files_of(home.path, without), seen, ()), sought)
    done.found |= after.found
    done.files, done.size, done.unpacked = (
        done.files + after.files,
        done.size + after.size,
        done.unpacked + after.unpacked,
    )
    return done, left


def _touched(files: list[Path], seen: Mapping[Path, int], again: "list[Path] | tuple[()]") -> list[Path]:
    """Files that are new, or were written, since they were looked at."""
    return [p for p in files if p in again or seen.get(p) != p.stat().st_mtime_ns]


def carry_out(home: Home, rebuild: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """All steps of an erasure that was begun. `rebuild` builds the home and says what it came to; it takes the lock itself, and is
    not called where there is nothing to remove."""
    began = time.monotonic()
    with home.lock(who="flywheel forget"):
        blank(home)
        noted = unfinished(home)
    blanked = time.monotonic()
    rebuilt = rebuild() if noted is None or removes(noted) else {}
    built = time.monotonic()
    with home.lock(wait=60.0, who="flywheel forget"):
        return finish(home, rebuilt, {"blank": blanked - began, "build": built - blanked})
