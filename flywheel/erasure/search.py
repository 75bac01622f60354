"""The proof of absence: every byte of a home is looked at, unpacked, for what must not be there."""

import gzip
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from flywheel.erasure.needles import Needles
from flywheel.storage.catalog import texts_of

BLOCK, OVERLAP = 8 << 20, 512
UNREADABLE = (OSError, EOFError, zlib.error, zstandard.ZstdError, pl.exceptions.PolarsError, sqlite3.Error, ValueError)


@dataclass
class Searched:
    """What was looked at, and what was found."""

    files: int = 0
    size: int = 0
    """Bytes as they lie on the disk."""
    unpacked: int = 0
    """Bytes looked at: those, and what is packed in them."""
    found: dict[Path, set[str]] = field(default_factory=dict)
    """File -> values that it holds."""


def files_of(home: Path, without: Iterable[Path] = ()) -> list[Path]:
    """Every regular file below a home, but for some; links are not followed."""
    skipped = set(without)
    return sorted(p for p in home.rglob("*") if p.is_file() and not p.is_symlink() and p not in skipped)


def search(files: Iterable[Path], sought: Needles) -> Searched:
    """Look for the values in every byte of these files."""
    done = Searched()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for path, size, unpacked, held in pool.map(lambda p: _look(p, sought), list(files)):
            done.files, done.size, done.unpacked = done.files + 1, done.size + size, done.unpacked + unpacked
            if held:
                done.found[path] = held
    return done


def _look(path: Path, sought: Needles) -> tuple[Path, int, int, set[str]]:
    """One file: its bytes, and what is packed in them."""
    held: set[str] = set()
    unpacked = 0
    try:
        size = path.stat().st_size
        for block in _blocks(path.open("rb")):
            unpacked += len(block)
            held.update(*(hit for _, hit in sought.in_bytes([block])))
    except FileNotFoundError:
        return path, 0, 0, set()
    try:
        for inner in _inside(path):
            if isinstance(inner, bytes):
                unpacked += len(inner)
                held.update(*(hit for _, hit in sought.in_bytes([inner])))
            else:
                unpacked += int(inner.estimated_size())
                held |= sought.in_texts(inner)
    except UNREADABLE:
        pass  # it breaks off: what comes before was looked at, and its bytes as they are
    return path, size, unpacked, held


def _blocks(file: Any) -> Iterator[bytes]:
    """The bytes of a file in blocks that overlap, so that nothing is cut in two."""
    with file:
        rest = b""
        while block := file.read(BLOCK) or b"":
            yield rest + block
            rest = block[-OVERLAP:]


def _inside(path: Path) -> Iterator[bytes | pl.Series]:
    """What is packed in a file, by its first bytes: gzip, zstd, Parquet, SQLite, DuckDB."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:2] == b"\x1f\x8b":
        yield from _blocks(gzip.GzipFile(path))
    elif head[:4] == b"\x28\xb5\x2f\xfd":
        yield from _blocks(zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True))
    elif head[:4] == b"PAR1":
        yield from _parquet(path)
    elif head[:15] == b"SQLite format 3":
        yield from _sqlite(path)
    elif head[8:12] == b"DUCK":
        yield from texts_of(path)


def _parquet(path: Path) -> Iterator[pl.Series]:
    """Every text of a table, some rows at a time; small columns together, for each look costs the same whatever it looks at."""
    scanned = pl.scan_parquet(path, glob=False)
    rows = scanned.select(pl.len()).collect().item()
    batch: list[pl.Series] = []
    size = 0
    for start in range(0, rows, 1 << 15):
        for texts in _texts(scanned.slice(start, 1 << 15).collect()):
            batch.append(texts.alias("text"))
            size += int(texts.estimated_size())
            if size > BLOCK:
                yield pl.concat(batch)
                batch, size = [], 0
    if batch:
        yield pl.concat(batch)


def _texts(frame: pl.DataFrame) -> Iterator[pl.Series]:
    """Every text in the columns of a frame, however deep; bytes as text, each byte one character where they are not UTF-8."""
    for column in frame.iter_columns():
        yield from _texts_in(column)


def _texts_in(column: pl.Series) -> Iterator[pl.Series]:
    dtype = column.dtype
    if dtype == pl.String:
        yield column.drop_nulls()
    elif dtype == pl.Binary:
        yield pl.Series([(v or b"").decode("utf-8", "replace") for v in column.to_list()], dtype=pl.String)
    elif isinstance(dtype, pl.List | pl.Array):
        yield from _texts_in(column.drop_nulls().explode())
    elif isinstance(dtype, pl.Struct):
        for inner in column.drop_nulls().struct.unnest().iter_columns():
            yield from _texts_in(inner)


def _sqlite(path: Path) -> Iterator[pl.Series]:
    """Every value of every table."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        for table in tables_in(db):
            cursor = db.execute(f'SELECT * FROM "{table}"')
            while rows := cursor.fetchmany(2000):
                told = [
                    v if isinstance(v, str) else v.decode("utf-8", "replace")
                    for row in rows
                    for v in row
                    if isinstance(v, str | bytes)
                ]
                yield pl.Series(told, dtype=pl.String)


def tables_in(db: sqlite3.Connection) -> list[str]:
    """Names of the tables of an SQLite file."""
    return [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def told(found: Mapping[Path, set[str]], home: Path) -> list[str]:
    """Files by their path below the home, for people; never what they hold."""
    return sorted(str(path.relative_to(home)) for path in found)
