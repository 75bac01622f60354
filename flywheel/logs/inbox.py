"""The inbox: which dropped files are whole, and taking them into the raw store."""

import os
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from flywheel.errors import RawUnreadable, RawUnsettled
from flywheel.home import Home
from flywheel.logs.raw import KINDS, RawFile, ends_whole
from flywheel.storage.snapshots import replace_synced

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
UNREADABLE = "unreadable: "
"""What stands before the reason in the list of files that were taken."""
SETTLED_AFTER = 10.0
"""Seconds a file must have stayed unchanged before it is taken: longer than a writer pauses between two lines."""
GIVEN_UP_AFTER = 900.0
"""Seconds after which a file that breaks off in the middle is taken as it is: its writer is not coming back."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file in the inbox: its path below it, size and time of last change."""

    path: Path
    name: str
    size: int
    changed: int

    @staticmethod
    def marked(inbox: Path, mark: str) -> "Dropped":
        """The file of a mark, as it was then."""
        name, size, changed = mark.rsplit(":", 2)
        return Dropped(inbox / name, name, int(size), int(changed))

    @property
    def is_as_it_was(self) -> bool:
        """Whether it lies in its place, with this size and time."""
        facts = self.path.stat() if self.path.is_file() else None
        return facts is not None and (facts.st_size, facts.st_mtime_ns) == (self.size, self.changed)

    @property
    def mark(self) -> str:
        """What tells this state of the file from any other."""
        return f"{self.name}:{self.size}:{self.changed}"


def waiting(home: Home, now: float | None = None) -> tuple[list[Dropped], list[Dropped]]:
    """Files in the inbox that were not taken yet: those that are whole, and those that still settle.

    A file is whole when it has a known ending, is not empty, did not change for SETTLED_AFTER seconds and does not break off in
    the middle of a line or of its compression (unless it has not changed for GIVEN_UP_AFTER seconds). Names that begin with a
    dot or end like an unfinished download, links, and files that were taken in this very state are passed over.
    """
    seen = set(taken(home))
    at = time.time() if now is None else now
    whole: list[Dropped] = []
    settling: list[Dropped] = []
    for path in sorted(home.inbox.rglob("*")):
        name = path.relative_to(home.inbox).as_posix()
        hidden = any(p.startswith(".") for p in Path(name).parts)
        if (
            hidden
            or path.is_symlink()
            or not path.name.endswith(KINDS)
            or path.name.endswith(UNFINISHED)
            or not path.is_file()
        ):
            continue
        facts = path.stat()
        dropped = Dropped(path, name, facts.st_size, facts.st_mtime_ns)
        if dropped.mark in seen:
            continue
        quiet = at - facts.st_mtime
        ready = facts.st_size > 0 and quiet >= SETTLED_AFTER and (quiet >= GIVEN_UP_AFTER or ends_whole(path))
        (whole if ready else settling).append(dropped)
    return whole, settling


def take(home: Home) -> list[RawFile]:
    """Copy every whole file of the inbox into the raw store and remember that it was taken. Returns the new ones.

    The file in the inbox is left as it is. A file that changes while it is read is left for the next time; one that cannot be
    read is remembered with its reason, and the others go on.
    """
    new, marks = [], taken(home)
    for dropped in waiting(home)[0]:
        try:
            file, is_new = home.raw.keep(dropped.path, dropped.name)
        except RawUnsettled:
            continue
        except RawUnreadable as e:
            marks[dropped.mark] = f"{UNREADABLE}{e}"
            continue
        marks[dropped.mark] = file.digest
        if file.forgotten:
            marks[put_back(dropped, file)] = file.digest
        if is_new:
            new.append(file)
    if marks != taken(home):
        replace_synced(_ledger(home), orjson.dumps(marks, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
    return new


def put_back(dropped: Dropped, file: RawFile) -> str:
    """Give a dropped file the bytes that were kept of it, without the lines of those who are forgotten. Returns its new mark."""
    aside = dropped.path.with_name(f".{dropped.path.name}.forgetting")
    shutil.copyfile(file.path, aside)
    os.utime(aside, ns=(dropped.changed, dropped.changed))
    size = aside.stat().st_size
    os.replace(aside, dropped.path)
    return Dropped(dropped.path, dropped.name, size, dropped.changed).mark


def taken(home: Home) -> dict[str, str]:
    """Mark of each inbox file that was taken -> digest of its content, or why it could not be read.

    Losing it is harmless: a file that is taken again adds nothing.
    """
    try:
        marks = orjson.loads(_ledger(home).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return marks if isinstance(marks, dict) else {}


def remember(home: Home, marks: Mapping[str, str], but: Collection[str] = ()) -> None:
    """Note that these states of files were taken, as which raw file, and take the marks `but` off the list."""
    gone = set(but)
    known = {mark: digest for mark, digest in {**taken(home), **marks}.items() if mark not in gone}
    replace_synced(_ledger(home), orjson.dumps(known, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))


def let_in(home: Home, digests: Collection[str]) -> None:
    """Let files of these contents be taken when they are dropped again, in whatever state. What lies in their place, with lines
    blank, stays taken: it is a second younger from now on, so that the original, with its time, is told from it."""
    known, there = taken(home), []
    for mark in [m for m, digest in known.items() if digest in digests]:
        dropped = Dropped.marked(home.inbox, mark)
        if dropped.is_as_it_was and not dropped.path.is_symlink():
            there.append((replace(dropped, changed=dropped.changed + 1_000_000_000), known[mark]))
    remember(home, {dropped.mark: digest for dropped, digest in there})
    for dropped, _ in there:
        os.utime(dropped.path, ns=(dropped.changed, dropped.changed))
    kept = {dropped.mark for dropped, _ in there}
    remember(home, {}, but=[m for m, digest in known.items() if digest in digests and m not in kept])


def refused(home: Home) -> list[str]:
    """A sentence for each file that still lies in the inbox as it was when it could not be read."""
    return [
        why.removeprefix(UNREADABLE)
        for mark, why in sorted(taken(home).items())
        if why.startswith(UNREADABLE) and Dropped.marked(home.inbox, mark).is_as_it_was
    ]


def _ledger(home: Home) -> Path:
    return home.path / "raw" / "inbox.json"
