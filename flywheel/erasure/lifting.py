"""Taking a suppression back: an entry leaves the list of who is forgotten, and its lines may come again.

    HOME/receipts/<id>-lifted.json, <id>-lifted.md    which entry, of what kind of subject, when, how many digests

Nothing comes back by the lifting itself: the bytes are gone. When a file is given again, the lines of it that bear a name which
was lifted, and none that is on the list, are no longer blank. The list is replaced in one step, and tells what was lifted: a
receipt that a killed run did not write is written by the next.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.erasure import receipt
from flywheel.erasure.forget import unfinished
from flywheel.erasure.needles import SHORTEST
from flywheel.erasure.subject import repeating
from flywheel.erasure.suppression import (
    Entry,
    Suppressed,
    bearing,
    lines_meant,
    meant,
    named_after,
    quoting,
    read,
    stand_in,
    suppressed,
    tables_of,
    write,
)
from flywheel.errors import ErasureUnfinished, RawUnsettled, UnknownRow, nearest
from flywheel.home import Home
from flywheel.logs.blank import bring_back
from flywheel.logs.inbox import let_in
from flywheel.logs.raw import BrokenOff, Line, RawFile, last_part, safe_path

RAW_LINES = pl.Schema({"file": pl.String, "line": pl.Int64, "offset": pl.Int64, "raw": pl.Binary})


def would_lift(home: Home, id: str) -> dict[str, Any]:
    """What lifting an entry would come to: the receipt without a time. Raises `UnknownRow` where there is no such entry."""
    return _told(home, _found(read(home.raw.root), id))


def lift(home: Home, id: str) -> dict[str, Any]:
    """Take an entry off the list and write the receipt; returns it. Call while holding the home's lock.

    Raises `UnknownRow` where there is no such entry, `ErasureUnfinished` while an erasure was begun and did not end.
    """
    if unfinished(home) is not None:
        raise ErasureUnfinished(
            f"an erasure was begun and did not end, and nothing is lifted before it has. Run: flywheel build --home {home.path}"
        )
    end(home)
    known = read(home.raw.root)
    gone = replace(_found(known, id), lifted=receipt.now())
    let_in(home, {file.digest for file in home.raw.files() if file.now})
    write(
        home.raw.root,
        Suppressed({i: e for i, e in known.entries.items() if i != id}, (*known.lifted, gone)),
    )
    return _written(home, gone)


def end(home: Home) -> None:
    """Write the receipts of liftings that a killed run did not write. Harmless when there is none."""
    for entry in read(home.raw.root).lifted:
        path = home.path / receipt.FOLDER / f"{entry.id}{receipt.LIFTED}.json"
        if not path.exists():
            _written(home, entry)


def _found(known: Suppressed, id: str) -> Entry:
    """The entry of this id, and how many of its digests others have, too."""
    if (entry := known.entries.get(id)) is None:
        was = next((f" It was lifted {e.lifted}." for e in known.lifted if e.id == id), nearest(id, known.entries))
        raise UnknownRow(f'no entry "{id}" is on the list of who is forgotten.{was} See: flywheel forget --suppressed')
    others = frozenset[str]().union(*(e.digests for i, e in known.entries.items() if i != id))
    return replace(entry, still=len(entry.digests & others))


def _told(home: Home, entry: Entry) -> dict[str, Any]:
    """An entry for people and receipts, with the raw files that the erasure blanked lines of, where its receipt is there."""
    try:
        done = json.loads((home.path / receipt.FOLDER / f"{entry.id}.json").read_bytes())
        files = [{k: f[k] for k in ("file", "name", "lines")} for f in done["files"]]
    except FileNotFoundError:  # of digests without a receipt
        files = []
    return _facts(entry) | {"files": files}


def _facts(entry: Entry) -> dict[str, Any]:
    """An entry without a digest in clear."""
    told = {"id": entry.id, "kind": entry.kind, "began": entry.began, "lifted": entry.lifted}
    return told | {"digests": len(entry.digests), "still": entry.still}


def _written(home: Home, entry: Entry) -> dict[str, Any]:
    told = _told(home, entry)
    receipt.put(home, f"{entry.id}{receipt.LIFTED}", told, readable(told))
    return told


def entries(home: Home) -> dict[str, list[dict[str, Any]]]:
    """Every entry of the list, and those that were lifted, without a digest in clear."""
    known = read(home.raw.root)
    standing = [_facts(e) for e in sorted(known.entries.values(), key=lambda e: (e.began, e.id))]
    return {
        "suppressed": [{k: told[k] for k in ("id", "kind", "began", "digests")} for told in standing],
        "lifted": [_facts(e) for e in known.lifted],
    }


def readable(told: Mapping[str, Any]) -> str:
    """The receipt of a lifting as Markdown."""
    of = (
        f"one {told['kind']}, forgotten {told['began']},"
        if told["kind"]
        else "all that was forgotten before entries were told apart"
    )
    lines = [
        f"# Receipt of lifting {told['id']}",
        "",
        f"The suppression of {of} was taken back {told['lifted']}.",
        "",
        f"- Keyed digests that left the list: {told['digests']:,}, of which {told['still']:,} stay suppressed by another entry.",
        "- Nothing came back by this. Lines that were made blank come back only when a file that has them is given again; the next build has them.",
    ]
    if told["files"]:
        lines += ["", "| Raw file (SHA-256 as received) | Name | Lines made blank |", "| --- | --- | --- |"]
        lines += [f"| `{f['file'][:16]}` | {f['name']} | {f['lines']:,} |" for f in told["files"]]
    return "\n".join([*lines, ""])


# --- a file that is given again


def brought_back(home: Home, file: RawFile, whole: Path, name: str) -> RawFile:
    """A kept file that is received again: of its blank lines those come back that bear a name which was lifted, and none that is
    on the list; and so does its own name, if it was taken for whose it bears. Returns the file as it is then.

    `whole`: its bytes as received, on the disk of the home; `name`: what it is called now.

    Raises `RawUnsettled` where something would come back and an erasure did not end: that may be about to blank it again.
    """
    known = read(home.raw.root)
    if not known.free:
        return file
    safe, secret = safe_path(name), home.secret
    renamed = (
        safe != file.name == stand_in(safe)
        and named_after(name, known.free, secret)
        and not named_after(name, known.digests, secret)
    )
    called = safe if renamed else file.name
    given = whole.with_name(last_part(called))
    whole.rename(given)
    received = RawFile(file.digest, called, given.stat().st_size, file.arrival, given)
    stay, free = bearing(secret, home.raw, received, known.digests, known.free)
    stay |= _with_others(home, received, known.digests, file.forgotten & (free - stay))
    if not renamed and not file.forgotten & (free - stay):
        return file
    if unfinished(home) is not None:
        raise RawUnsettled(
            f"{name} brings lines back whose suppression was lifted, and an erasure was begun and did not end. "
            f"Run: flywheel build --home {home.path}, then give the file again."
        )
    return bring_back(file, given, (file.forgotten - free) | stay, called)


def _with_others(home: Home, file: RawFile, digests: Collection[str], numbers: Collection[int]) -> set[int]:
    """Of these lines those that would have gone with a user on the list, had they not been blank already when that one was forgotten:
    they name them in quotation marks or, in a conversation that has lines of theirs in this file, repeat their words or are nobody's."""
    if not numbers or not digests:
        return set()
    secret, holds = home.secret, suppressed(digests, home.secret)
    told = pl.LazyFrame([(file.digest, *line) for line in _lines(home, file, numbers)], schema=RAW_LINES, orient="row")
    found = set(quoting(told, holds, secret, least=SHORTEST)["line"].to_list())
    theirs = [rows.filter(holds("user", rows["user"]).fill_null(False)) for rows in _calls_of(home, file)]
    mine = pl.concat(theirs).lazy()
    spoken = mine.select("conversation_id").drop_nulls().collect()["conversation_id"].implode()
    calls: set[str] = set()
    for rows in _calls_of(home, file) if any(map(len, theirs)) else ():
        others = rows.filter(pl.col("conversation_id").is_in(spoken) & ~holds("user", rows["user"]).fill_null(False))
        calls |= repeating(mine, others.lazy())
    for tables in tables_of(secret, home.raw, file) if calls else ():
        found |= set(lines_meant(tables, meant({"call": calls}), secret)["line"].to_list())
    return found & set(numbers)


def _calls_of(home: Home, file: RawFile) -> Iterator[pl.DataFrame]:
    """What `repeating` reads of the calls of a file, piece by piece."""
    for tables in tables_of(home.secret, home.raw, file):
        yield (
            tables["conversations"].select("native_id", "response_id", "conversation_id", "user", "messages").collect()
        )


def _lines(home: Home, file: RawFile, numbers: Collection[int]) -> Iterator[Line]:
    """These lines of a file, and what there is of one in which it breaks off."""
    try:
        for piece in home.raw.pieces(file):
            yield from (line for line in home.raw.lines(file, piece) if line.number in numbers)
    except BrokenOff as e:
        if e.rest.number in numbers:
            yield e.rest
