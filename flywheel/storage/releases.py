"""The releases of a home: in which order they were made, and which versions lie in the export folder.

The order is kept in HOME/snapshots/SET/releases.jsonl, a line for each time that `current` came to point at another version.
It holds no time: an export, and what is told of it, is the same whenever it is made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl

from flywheel.home import Home
from flywheel.storage.snapshots import Snapshot, replace_synced

LINES = pl.Schema(
    {
        "set": pl.String,
        "version": pl.String,
        "split": pl.String,
        "file": pl.String,
        "line": pl.Int64,
        "example_id": pl.String,
    }
)
"""The lines of exports."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One version of a set on disk."""

    set: str
    folder: Path
    current: bool
    """Whether `current` points at it."""
    rank: int
    """Its place among the versions of the set on disk, by when each was released last; the first is 1."""

    @property
    def version(self) -> str:
        """The first twelve digits of the snapshot's version."""
        return self.folder.name


def remember(home: Home, set_name: str, version: str, because: str | None = None) -> None:
    """Note that a version is the current one from now on, and why where somebody had to say it. Saying the same again adds
    nothing, so a killed release may repeat it."""
    if released(home, set_name)[-1:] != [version]:
        said = {"version": version} | ({"because": because} if because else {})
        lines = [line for line in _lines(home, set_name) if _version(line)]
        replace_synced(_history(home, set_name), b"\n".join([*lines, orjson.dumps(said)]) + b"\n")


def released(home: Home, set_name: str) -> list[str]:
    """The versions of a set that were current, first to last. One that was released again is there again.

    What cannot be read is passed over: the order of releases serves comparing, and is no reason to refuse one.
    """
    return [version for line in _lines(home, set_name) if (version := _version(line))]


def reasons(home: Home, set_name: str) -> dict[str, str]:
    """Versions that became current only because somebody said why, the last time they did -> what they said."""
    last = {version: line for line in _lines(home, set_name) if (version := _version(line))}
    return {v: str(because) for v, line in last.items() if (because := orjson.loads(line).get("because"))}


def before(home: Home, set_name: str, version: str) -> str | None:
    """The version that was current before this one came to be, the last time it did; None when it was the first."""
    known = released(home, set_name)
    at = len(known) - 1 - known[::-1].index(version) if version in known else len(known)
    return known[at - 1] if at else None


def exported(home: Home) -> Iterator[Exported]:
    """Each version of each set on disk: by set, the one released last at the end. A version nobody noted comes first."""
    for home_of_set in sorted(p for p in home.exports.glob("[!.]*") if p.is_dir()):
        order = {v: n for n, v in enumerate(released(home, home_of_set.name))}
        found = [p.parent for p in home_of_set.glob("[!.]*/manifest.json") if not p.parent.is_symlink()]
        now = (home_of_set / "current").resolve()
        for rank, folder in enumerate(sorted(found, key=lambda p: (order.get(p.name, -1), p.name)), 1):
            yield Exported(home_of_set.name, folder, folder.resolve() == now, rank)


def exported_lines(export: Exported) -> pl.DataFrame:
    """Set, version, split, file, line and example id of every line of every file of one export, from its manifest."""
    held = [pl.DataFrame(schema=LINES)]
    try:
        files = orjson.loads((export.folder / "manifest.json").read_bytes())["lines"]
        for file, ids in sorted(files.items()):
            at = {"set": export.set, "version": export.version, "split": Path(file).stem, "file": file}
            example = pl.Series(ids, dtype=pl.String)
            lines = pl.DataFrame(
                {"line": pl.int_range(1, len(ids) + 1, dtype=pl.Int64, eager=True), "example_id": example}
            )
            held.append(lines.select(**{c: pl.lit(v) for c, v in at.items()}, line="line", example_id="example_id"))
    except (OSError, ValueError, KeyError, TypeError):  # a damaged export: `flywheel doctor` names it
        return held[0]
    return pl.concat(held)


def turns(home: Home, set_name: str, candidate: Snapshot) -> list[Mapping[str, Mapping[str, float]]]:
    """The shares of each axis in the releases before a candidate, oldest first, as their manifests tell them."""
    known = released(home, set_name)
    mine = [n for n, v in enumerate(known) if candidate.version.startswith(v)]
    found = []
    for version in known[: mine[0]] if mine else known:
        try:
            told = orjson.loads((home.exports / set_name / version / "manifest.json").read_bytes())
        except (OSError, ValueError):  # no longer on disk, or damaged: `flywheel doctor` names it
            continue
        found.append(told.get("axes", {}))
    return found


def is_set(snapshot: Snapshot) -> bool:
    """Whether a dataset is a finetuning set."""
    return {"split", "completion", "group"} <= set(snapshot.schemas.get("rows", ()))


def _history(home: Home, set_name: str) -> Path:
    return home.store.root / set_name / "releases.jsonl"


def _lines(home: Home, set_name: str) -> list[bytes]:
    try:
        return _history(home, set_name).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []


def _version(line: bytes) -> str | None:
    try:
        return str(orjson.loads(line)["version"])
    except (ValueError, KeyError, TypeError):
        return None
