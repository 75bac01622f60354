"""Removing what is found of somebody: each place of a home has its way."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import polars as pl

from flywheel.audit.verify import dagster_files
from flywheel.erasure.needles import Needles
from flywheel.erasure.search import tables_in
from flywheel.home import Home
from flywheel.records import canonical
from flywheel.storage.frozen import FROZEN
from flywheel.storage.snapshots import replace_synced

PUT_IN_PLACE = "forgotten"
"""What Dagster's records say where a name stood."""
DERIVED = ("audits", "cache", "reports", "storage", "logs", "history", "schedules", "receipts", "lineage")
"""Folders of a home whose files are made by flywheel or Dagster, beside snapshots, exports, raw and trial."""


def purge(home: Home, held: Iterable[Path], sought: Needles) -> tuple[set[Path], list[Path]]:
    """Remove these files, or what is sought from them. Returns what was touched, and the files that are the user's own: those are
    left as they are."""
    touched: set[Path] = set()
    left: list[Path] = []
    for path in held:
        parts = path.relative_to(home.path).parts
        if parts[0] == "snapshots":
            touched.add(_snapshot(home, path))
        elif parts[0] == "exports" and len(parts) > 2:
            touched.add(remove_export(home.exports / parts[1], parts[2]))
        elif parts[0] == FROZEN:
            _thaw(path, sought)
            touched.add(path)
        elif parts[0] == "trial":
            shutil.rmtree(home.path / "trial", ignore_errors=True)
            touched.add(home.path / "trial")
        elif path == home.catalog_file or path.name.startswith((".catalog-", "catalog.duckdb")):
            path.unlink(missing_ok=True)
            touched.add(path)
        elif parts[0] != "cache" and path.exists() and _is_sqlite(path):
            _scrub(path, sought)
            touched.add(path)
        elif parts[0] in DERIVED and len(parts) > 1 and not path.name.endswith(("-wal", "-shm", "-journal")):
            path.unlink(missing_ok=True)
            touched.add(path)
        else:
            left.append(path)
    touched |= _orphans(home)
    return touched, left


def _thaw(path: Path, sought: Needles) -> None:
    """Take rows out of a frozen pilot; the others stay frozen."""
    body = json.loads(path.read_bytes())
    for side in ("pilot", "evaluation", "kept_out"):
        ids = pl.Series(body[side], dtype=pl.String)
        gone = {at for at, _ in sought.rows_of(ids)}
        body[side] = [id for at, id in enumerate(ids) if at not in gone]
    replace_synced(path, canonical(body))


def _snapshot(home: Home, path: Path) -> Path:
    """A part goes whole; so does a manifest, or what the checks said of it."""
    parts = path.relative_to(home.store.root).parts
    gone = home.store.root.joinpath(*parts[:3]) if parts[0] == "parts" and len(parts) > 3 else path
    shutil.rmtree(gone, ignore_errors=True) if gone.is_dir() else gone.unlink(missing_ok=True)
    return gone


def _orphans(home: Home) -> set[Path]:
    """Manifests that name a part which is no more, and what points at them."""
    root = home.store.root
    gone = set()
    for manifest in root.glob("*/*.json"):
        with suppress(ValueError, KeyError, TypeError):
            keys = [p["key"] for p in json.loads(manifest.read_bytes())["parts"]]
            if not all((root / "parts" / k[:2] / k / "part.json").exists() for k in keys):
                manifest.unlink()
                gone.add(manifest)
    for head in root.glob("*/HEAD"):
        if not (head.parent / f"{head.read_text().strip()}.json").exists():
            head.unlink()
            gone.add(head)
    return gone


def only_newest(home: Home) -> None:
    """Remove every snapshot but the newest of each dataset: of very many rows, each cannot be looked for."""
    root = home.store.root
    kept = set()
    for manifest in root.glob("*/*.json"):
        if home.store.head_key(manifest.parent.name) == manifest.stem:
            kept |= {p["key"] for p in json.loads(manifest.read_bytes())["parts"]}
        else:
            manifest.unlink()
    for part in root.glob("parts/*/*"):
        if part.name not in kept:
            shutil.rmtree(part, ignore_errors=True)


def scrub_records(home: Home, sought: Needles) -> None:
    """Put a word in the place of every name in Dagster's SQLite files."""
    for file in dagster_files(home):
        _scrub(file, sought)


def remove_export(folder: Path, version: str) -> Path:
    """A released version goes whole; where it was the current one, nothing is released until the next build."""
    link = folder / "current"
    if link.is_symlink() and link.readlink().name == version:
        link.unlink()
    shutil.rmtree(folder / version, ignore_errors=True)
    return folder / version


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3"


def _scrub(path: Path, sought: Needles) -> None:
    """Put a word in the place of every name and text in an SQLite file, and write the file anew, free pages and log included."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        db.execute("PRAGMA secure_delete = ON")
        for table in tables_in(db):
            for column in [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]:
                told = db.execute(
                    f'SELECT rowid, "{column}" FROM "{table}" WHERE typeof("{column}") = \'text\''
                ).fetchall()
                texts = pl.Series([text for _, text in told], dtype=pl.String)
                changed = [(_replaced(told[at][1], held, sought), told[at][0]) for at, held in sought.rows_of(texts)]
                db.executemany(f'UPDATE OR REPLACE "{table}" SET "{column}" = ? WHERE rowid = ?', changed)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _replaced(text: str, held: set[str], sought: Needles) -> str:
    """The text with a word for each of these values; where one is a piece of a text, for all of that up to the next quotation mark."""
    patterns = []
    for form, value in sorted(sought.forms.items(), key=lambda f: -len(f[0])):
        if value in held:
            inner = re.escape(form)
            if value in sought.bounds:
                inner = f"(?<![A-Za-z0-9]){inner}(?![A-Za-z0-9])"
            elif not form.startswith('"'):
                inner = f'[^"\\\\]*{inner}[^"\\\\]*'
            patterns.append(inner)
    word = f'"{PUT_IN_PLACE}"'
    return re.sub("|".join(patterns), lambda m: word if m.group().startswith('"') else PUT_IN_PLACE, text)


def empty_cache(home: Home) -> bool:
    """Remove the vectors of texts: they are kept by a hash of the text after all edits, so nobody can tell whose they are."""
    file = home.path / "cache" / "embeddings.db"
    there = file.exists()
    for path in file.parent.glob("embeddings.db*"):
        path.unlink()
    return there
