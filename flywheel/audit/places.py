"""The row that a place names: line N of a file of an export, or of a raw file, FILE:N."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flywheel.audit.origins import BY, called
from flywheel.errors import UnknownRow, nearest

if TYPE_CHECKING:
    from flywheel.storage.catalog import Catalog

FILES = (".jsonl", ".json", ".parquet", ".gz", ".zst", ".csv")
SHOWN = 8


def at_place(catalog: "Catalog", wanted: str) -> str | None:
    """The id of the example, call or feedback event on line N of FILE; None where `wanted` is no place.

    FILE of an export is a path, absolute or relative to the working folder, the home or its exports; or the end of one, SET/FILE
    or FILE: then the current versions are meant before the others. Of a raw file it is what `flywheel trace --line` takes, or a
    path. Raises `UnknownRow` where no file, or more than one, is called so, or where it has no such line.
    """
    file, _, number = wanted.rpartition(":")
    if not file or not (number.isascii() and number.isdigit()):
        return None
    paths = {os.path.realpath(root / file) for root in (Path.cwd(), catalog.home.path, catalog.home.exports)}
    exported = _files(catalog)
    if (held := _meant(exported, file, paths)) is not None:
        return _example(catalog, held, int(number))
    if (raw := _raw(catalog, file, paths)) is not None:
        return _read(catalog, f"{raw}:{number}", wanted)
    if "/" in file or file.endswith(FILES):
        known = [f"{f['set']}/{f['file']}" for f in exported if f["current"]]
        there = f" Exported are: {', '.join(known[:SHOWN])}{', …' if len(known) > SHOWN else ''}." if known else ""
        raise UnknownRow(
            f'no file of an export that holds examples, and no raw file, is called "{file[:200]}".'
            f"{nearest(file, [*known, *(n for f in catalog.raw_files.values() for n in (f.name, f.last_name))])}{there}"
        )
    return None


def _files(catalog: "Catalog") -> list[dict[str, Any]]:
    """The files of every export that hold examples, and how many lines each has."""
    return catalog.rows(
        "SELECT set, version, file, path, current, count(*) AS lines FROM release_lines JOIN releases USING (set, version) "
        "GROUP BY ALL ORDER BY set, version, file"
    )


def _meant(files: list[dict[str, Any]], file: str, paths: set[str]) -> dict[str, Any] | None:
    """The one file of the exports that is meant: by its path, else by the end of it."""
    if found := [f for f in files if os.path.realpath(Path(f["path"]) / f["file"]) in paths]:
        return found[0]
    asked = Path(file).parts
    for told in ("{file}", "{set}/{file}", "{set}/{version}/{file}"):
        if found := [f for f in files if Path(told.format(**f)).parts == asked]:
            break
    else:
        return None
    found = [f for f in found if f["current"]] or found
    if len(found) > 1:
        where = ", ".join(f"{f['set']}/{f['version']}/{f['file']}" for f in found[:SHOWN])
        raise UnknownRow(f'{len(found)} exported files are called "{file[:200]}"; name one, such as: {where}.')
    return found[0]


def _example(catalog: "Catalog", held: dict[str, Any], number: int) -> str:
    where = [held["set"], held["version"], held["file"], number]
    query = "SELECT example_id FROM release_lines WHERE set = ? AND version = ? AND file = ? AND line = ?"
    if not (found := catalog.rows(query, where)):
        called = f"{held['set']}/{held['version']}/{held['file']}"
        raise UnknownRow(f"{called} has {held['lines']:,} lines, from 1; there is no line {number}.")
    return str(found[0]["example_id"])


def _raw(catalog: "Catalog", file: str, paths: set[str]) -> str | None:
    """A raw file as `origins` takes it: its name or digest as given, or its digest where a path of it was given."""
    files = catalog.raw_files.values()
    if called(files, file):
        return file
    return next((f.digest for f in files if os.path.realpath(f.path) in paths), None)


def _read(catalog: "Catalog", line: str, wanted: str) -> str:
    """The one row that was read from a line of a raw file."""
    told = BY["line"](catalog, line).parameters
    found: list[str] = sorted({*told["calls"], *told["events"]} - {None})
    if len(found) != 1:
        rows = ", ".join(found[:SHOWN]) or "none, another call under the same id is kept"
        raise UnknownRow(f'{len(found)} rows stand for line "{wanted[:200]}": {rows}. Ask for one of them by its id.')
    return found[0]
