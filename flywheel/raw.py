"""Raw files, kept by content and never changed, and the lines in them.

    HOME/raw/<sha256>/<name>       the bytes as received, read-only
    HOME/raw/<sha256>/arrival.json its name, size and place in the order of arrival
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl
import zstandard

from flywheel.errors import RawChanged, RawUnreadable
from flywheel.snapshots import file_digest, sync, write_synced

KINDS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".json.gz", ".json", ".parquet", ".gz", ".zst")
BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number (from 1), its offset in the decompressed file, its bytes without the newline."""

    number: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RawFile:
    """One received file. `arrival` counts files in the order they came."""

    digest: str
    name: str
    size: int
    arrival: int
    path: Path


class RawStore:
    """The raw files of one home."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self) -> list[RawFile]:
        """Every file received, in the order of arrival."""
        found = []
        for facts in self.root.glob("*/arrival.json"):
            f = json.loads(facts.read_bytes())
            found.append(RawFile(f["digest"], f["name"], f["size"], f["arrival"], facts.parent / f["name"]))
        return sorted(found, key=lambda f: (f.arrival, f.digest))

    def find(self, digest: str) -> RawFile | None:
        """The file with this content, or None."""
        return next((f for f in self.files() if f.digest == digest), None)

    def keep(self, source: Path) -> tuple[RawFile, bool]:
        """Copy a file in by content. Returns it and whether it was new. The original is only read.

        Raises `RawUnreadable` when it cannot be opened, or when its compression is broken from the first byte.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        staged = self.root / f".staged-{uuid.uuid4().hex}"
        staged.mkdir()
        try:
            name = safe_name(source.name)
            total, size = hashlib.sha256(), 0
            try:
                with source.open("rb") as src, (staged / name).open("wb") as dst:
                    while block := src.read(BLOCK):
                        total.update(block)
                        dst.write(block)
                        size += len(block)
                    dst.flush()
                    os.fsync(dst.fileno())
            except IsADirectoryError:
                raise RawUnreadable(f"{source} is a folder; expected a log or feedback file. Name the files in it.") from None
            except (FileNotFoundError, PermissionError) as e:
                raise RawUnreadable(f"{source} cannot be read: {e.strerror}. Check the path and its permissions.") from None
            digest = total.hexdigest()
            if known := self.find(digest):
                return known, False
            probe(staged / name, source)
            arrival = 1 + max((f.arrival for f in self.files()), default=0)
            (staged / name).chmod(0o444)
            write_synced(
                staged / "arrival.json",
                orjson.dumps({"digest": digest, "name": name, "size": size, "arrival": arrival}),
            )
            try:
                staged.rename(self.root / digest)
            except OSError:
                if not (self.root / digest / "arrival.json").exists():
                    raise
            sync(self.root)
            return RawFile(digest, name, size, arrival, self.root / digest / name), True
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def sweep(self) -> None:
        """Remove copies that a killed process left half-made."""
        for path in self.root.glob(".staged-*"):
            shutil.rmtree(path, ignore_errors=True)

    def verify(self) -> list[str]:
        """Re-hash every file; one sentence for each that changed, naming it."""
        return [
            f"raw file {f.name} ({f.path}) no longer has the bytes it was received with (expected sha256 {f.digest})."
            for f in self.files()
            if not f.path.exists() or file_digest(f.path) != f.digest
        ]

    def check(self, file: RawFile) -> None:
        """Raise `RawChanged`, naming the file, if its bytes are not those received."""
        if not file.path.exists() or file_digest(file.path) != file.digest:
            raise RawChanged(
                f"raw file {file.name} ({file.path}) no longer has the bytes it was received with. "
                f"Restore it from a backup (sha256 {file.digest}); nothing was built from the changed bytes."
            )


def safe_name(name: str) -> str:
    """A file name made of letters, digits, dot, dash and underscore only, never hidden, at most 120 long."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[-120:] or "file"


def probe(path: Path, source: Path) -> None:
    """Refuse a file that names a compression or format it does not have."""
    try:
        next(lines(path), None)
    except BROKEN as e:
        raise RawUnreadable(
            f"{source} cannot be read as {''.join(source.suffixes[-2:]) or 'text'}: {e}. Expected JSON Lines (plain, .gz, .zst) or Parquet."
        ) from None


def lines(path: Path) -> Iterator[Line]:
    """The lines of a file, split on `\\n` only (texts hold U+2028 and U+0085), decompressed as its name says.

    A row of a Parquet file is one line, written as JSON; its offset is its row number. A compressed file that breaks off
    gives the lines before the break and then raises.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    with _opened(path) as stream:
        number, offset, rest = 0, 0, b""
        while block := stream.read(BLOCK):
            pieces = (rest + block).split(b"\n")
            rest = pieces.pop()
            for piece in pieces:
                number += 1
                yield Line(number, offset, piece)
                offset += len(piece) + 1
        if rest:
            yield Line(number + 1, offset, rest)


def _opened(path: Path) -> io.BufferedIOBase:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)  # type: ignore[return-value]
    return path.open("rb")


def _parquet_rows(path: Path) -> Iterator[Line]:
    frame = pl.scan_parquet(path, glob=False)
    total, step = frame.select(pl.len()).collect().item(), 4096
    for start in range(0, total, step):
        for i, row in enumerate(frame.slice(start, step).collect().iter_rows(named=True), start):
            yield Line(i + 1, i, orjson.dumps(row, default=str))


BROKEN = (OSError, EOFError, zlib.error, zstandard.ZstdError, pl.exceptions.PolarsError)
"""What reading a file with broken compression or a broken Parquet footer raises."""
