"""Every byte that was promised not to change, hashed again: raw files, snapshots, releases, caches, the records of Dagster.

One finding for each file that is not as it should be. `flywheel verify` prints them; `flywheel doctor` has the same findings
among its own, so that there is one answer to what is damaged.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from flywheel.home import Home
from flywheel.stages.export import damaged_in


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a home: how many files were hashed or read, a sentence for each that is damaged, and what to do then."""

    name: str
    files: int
    damaged: tuple[str, ...]
    cure: str


def verify(home: Home) -> list[Part]:
    """Every part of a home, in a fixed order. Nothing is changed."""
    return [examine(home) for examine in PARTS.values()]


def raw_files(home: Home) -> Part:
    """Raw files: each has the bytes it was received with, or those it was left with when lines of it were forgotten."""
    return Part("raw files", len(home.raw.files()), tuple(home.raw.verify()), "Restore from a backup what is named.")


def snapshots(home: Home) -> Part:
    """Snapshots: each table has its bytes, each newest manifest its parts."""
    bad, files = list(home.store.verify()), sum(1 for _ in home.store.root.glob("parts/*/*/*.parquet"))
    for name in home.store.names() if not bad else ():
        try:
            home.store.head(name)
        except Exception as e:  # whatever is wrong with a manifest, it is to be told
            bad.append(str(e))
    cure = f"Delete the folder of the named part and run: flywheel build --home {home.path}"
    return Part("snapshots", files, tuple(bad), cure)


def exports(home: Home) -> Part:
    """Releases: every file of every version has the digest its manifest gives, and `current` points at one that is there."""
    bad, files = [], 0
    for folder in sorted(p for p in home.exports.glob("[!.]*/[!.]*") if p.is_dir() and not p.is_symlink()):
        files += _named(folder)
        for name in damaged_in(folder):
            path = folder / name
            how = (
                "cannot be read" if name == "manifest.json" and path.is_file()
                else "has changed since it was released" if path.is_file()
                else "is missing"
            )  # fmt: skip
            bad.append(f"{path} {how}.")
    for link in sorted(folder / "current" for folder in home.exports.glob("*")):
        if link.is_symlink() and not link.exists():
            bad.append(f"{link} points at a version that is not there.")
    cure = f"Delete that version's folder, then run: flywheel build --home {home.path}"
    return Part("exports", files, tuple(bad), cure)


def _named(folder: Path) -> int:
    try:
        return len(json.loads((folder / "manifest.json").read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def caches(home: Home) -> Part:
    """Caches: each SQLite file is whole. They may be deleted: only work is lost."""
    files = sorted((home.path / "cache").glob("*.db"))
    bad = tuple(f"{f} is damaged ({v})." for f in files if (v := integrity(f)) != "ok")
    return Part("caches", len(files), bad, "Delete it: it is made again.")


def dagster(home: Home) -> Part:
    """Dagster's SQLite files."""
    files = dagster_files(home)
    bad = tuple(f"{f} is damaged ({v})." for f in files if (v := integrity(f)) != "ok")
    return Part("dagster", len(files), bad, "Move it away: only the list of past runs is lost.")


def dagster_files(home: Home) -> list[Path]:
    """The SQLite files that Dagster keeps in a home."""
    patterns = ("*.db", "history/*.db", "history/runs/*.db", "schedules/*.db")
    return sorted(f for pattern in patterns for f in home.path.glob(pattern))


def integrity(file: Path) -> str:
    """ "ok", or what is wrong with an SQLite file."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as db:
            return str(db.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.Error as e:
        return str(e)


PARTS: Mapping[str, Callable[[Home], Part]] = {
    "raw files": raw_files,
    "snapshots": snapshots,
    "exports": exports,
    "caches": caches,
    "dagster": dagster,
}
