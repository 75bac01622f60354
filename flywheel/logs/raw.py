"""Raw files, kept by content and never changed but by erasure, and the lines in them.

HOME/raw/<sha256>/<file>       the bytes as received, read-only, under the last part of the name
HOME/raw/<sha256>/<n>-<file>   the same after n erasures or liftings: the lines forgotten are blank, every other byte is where it was
HOME/raw/<sha256>/arrival.json its name (a path such as logs/a.jsonl), size and place in the order of arrival; after an erasure also `stored`, the name of
                               its present bytes, their digest as `now`, and `forgotten`, the numbers of the lines
HOME/raw/<sha256>/pieces.json  of a large plain file: the runs of whole lines in which it is read, each with its digest
"""

import hashlib
import json
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson
import polars as pl
import zstandard

from flywheel.errors import RawChanged, RawUnreadable, RawUnsettled
from flywheel.logs import pieces
from flywheel.logs.pieces import Cutter, Piece, is_plain
from flywheel.storage.snapshots import file_digest, replace_synced, sync, write_synced

PIECES = "pieces.json"
KINDS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".json.gz", ".json", ".parquet", ".gz", ".zst")
BLOCK = 1 << 22
LONGEST_NAME = 240


class Line(NamedTuple):
    """One line: its number (from 1), its offset in the decompressed file, its bytes without the newline."""

    number: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RawFile:
    """One received file. `arrival` counts files in the order they came."""

    digest: str
    """SHA-256 of the bytes received: what lineage calls the file, whatever is forgotten of it later."""
    name: str
    """Where it lay in what was given, such as logs/a.jsonl; a file of an older flywheel has only the last part."""
    size: int
    arrival: int
    path: Path
    now: str = ""
    """SHA-256 of the bytes there are, where lines were forgotten; else empty."""
    forgotten: frozenset[int] = frozenset()
    """Numbers of the lines that were forgotten: they are blank, and no rows."""

    @property
    def last_name(self) -> str:
        """The last part of its name."""
        return last_part(self.name)

    @property
    def bytes_digest(self) -> str:
        """SHA-256 that its bytes must have."""
        return self.now or self.digest


class RawStore:
    """The raw files of one home."""

    def __init__(self, root: Path, sift: "Sift | None" = None, lifted: "Lifted | None" = None) -> None:
        self.root = root
        self.sift = sift
        """Blanks, before a new file is kept, the lines of somebody who is forgotten."""
        self.lifted = lifted
        """Brings lines of a kept file back that were forgotten and may be there again."""

    def files(self) -> list[RawFile]:
        """Every file received, in the order of arrival."""
        found = [received(facts) for facts in self.root.glob("[!.]*/arrival.json")]
        return sorted(found, key=lambda f: (f.arrival, f.digest))

    def find(self, digest: str) -> RawFile | None:
        """The file with this content, or None."""
        facts = self.root / digest / "arrival.json"
        return received(facts) if facts.exists() else None

    def keep(self, source: Path, name: str | None = None) -> tuple[RawFile, bool]:
        """Copy a file in by content. Returns it and whether it was new. The original is only read.

        `name`: where it lay in what was given; else the last part of its path. A file that is there keeps the name it has; with
        lines that were forgotten, it counts as new when some of these may be there again.

        Raises `RawUnreadable` when it cannot be opened, or when its compression is broken from the first byte.
        """
        if source.exists() and not source.is_file() and not source.is_dir():
            raise RawUnreadable(
                f"{source} is no regular file; expected a log or feedback file. Write its content to a file, then name that."
            )
        self.root.mkdir(parents=True, exist_ok=True)
        staged = self.root / f".staged-{uuid.uuid4().hex}"
        staged.mkdir()
        try:
            told = source.name if name is None else name
            called = safe_path(told)
            here = staged / last_part(called)
            total, size, cutter = hashlib.sha256(), 0, Cutter()
            large = is_plain(source) and source.exists() and source.stat().st_size > pieces.PIECE
            try:
                with source.open("rb") as src, here.open("wb") as dst:
                    before = os.fstat(src.fileno())
                    while block := src.read(BLOCK):
                        total.update(block)
                        dst.write(block)
                        size += len(block)
                        if large:
                            cutter.feed(block)
                    dst.flush()
                    os.fsync(dst.fileno())
                    after = source.stat()
                    if size != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
                        raise RawUnsettled(
                            f"{source} changed while it was read. Wait until its writer has closed it, then ingest it again."
                        )
            except IsADirectoryError:
                raise RawUnreadable(
                    f"{source} is a folder; expected a log or feedback file. Name the files in it."
                ) from None
            except (FileNotFoundError, PermissionError) as e:
                raise RawUnreadable(
                    f"{source} cannot be read: {e.strerror}. Check the path and its permissions."
                ) from None
            digest = total.hexdigest()
            if known := self.find(digest):
                now = self.lifted(known, here, told[-LONGEST_NAME:]) if self.lifted and known.now else known
                return now, now != known
            probe(here, source)
            if len(cut := cutter.pieces()) > 1:
                write_synced(staged / PIECES, orjson.dumps([*map(tuple, cut)]))
            arrival = 1 + max((f.arrival for f in self.files()), default=0)
            here.chmod(0o444)
            write_synced(
                staged / "arrival.json",
                orjson.dumps({"digest": digest, "name": called, "size": size, "arrival": arrival}),
            )
            if self.sift:
                self.sift(self, RawFile(digest, called, size, arrival, here))
            try:
                staged.rename(self.root / digest)
            except OSError:
                if not (self.root / digest / "arrival.json").exists():
                    raise
            sync(self.root)
            return received(self.root / digest / "arrival.json"), True
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def sweep(self) -> None:
        """Remove copies that a killed process left half-made. Call only while holding the home's lock."""
        for path in self.root.glob(".staged-*"):
            shutil.rmtree(path, ignore_errors=True)
        for file in self.files():
            tidy(file)

    def verify(self) -> list[str]:
        """Re-hash every file; one sentence for each that changed, naming it."""
        return [
            f"raw file {f.name} ({f.path}) no longer has the bytes it was received with (expected sha256 {f.bytes_digest})."
            for f in self.files()
            if not f.path.exists() or file_digest(f.path) != f.bytes_digest
        ]

    def pieces(self, file: RawFile) -> list[Piece]:
        """The pieces in which a file is read: a large plain one in several, any other in one.

        Raises `RawChanged` when they are not known yet and the bytes are not those received.
        """
        if file.size <= pieces.PIECE or not is_plain(file.path):
            return [Piece(0, 0, file.size, 1, file.bytes_digest)]
        place = file.path.parent / PIECES
        try:
            found = [Piece(*told) for told in orjson.loads(place.read_bytes())]
            if sum(p.size for p in found) == file.size:
                return found
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError, AttributeError):
            pass  # received by an older flywheel, or damaged: cut now
        cutter = Cutter()
        self.check(file)
        with file.path.open("rb") as source:
            while block := source.read(BLOCK):
                cutter.feed(block)
        replace_synced(place, orjson.dumps([*map(tuple, cutter.pieces())]))
        return cutter.pieces()

    def lines(self, file: RawFile, piece: Piece) -> Iterator[Line]:
        """The lines of one piece; as `lines`, and at its end raises `RawChanged` if its bytes are not those received."""
        if file.path.suffix.lower() == ".parquet" or not file.path.exists():
            self.check(file)
            yield from lines(file.path)
            return
        total = hashlib.sha256()
        last = piece.offset + piece.size == file.size
        try:
            yield from lines(file.path, piece._replace(size=-1) if last else piece, total)
        except BrokenOff:
            self.check(file)  # what stands after the break was not read
            raise
        if total.hexdigest() != piece.digest:
            raise _changed(file)

    def check(self, file: RawFile) -> None:
        """Raise `RawChanged`, naming the file, if its bytes are not those received."""
        if not file.path.exists() or file_digest(file.path) != file.bytes_digest:
            raise _changed(file)


Sift = Callable[[RawStore, RawFile], object]
Lifted = Callable[[RawFile, Path, str], RawFile]
"""Of a kept file, its bytes as they are received again, and what that file is called: the kept file as it is then."""


def tidy(file: RawFile) -> None:
    """Remove what lies beside a kept file and is not it: its bytes before an erasure or a lifting, or after one that was killed."""
    if not file.path.exists():
        return
    kept = ("arrival.json", PIECES, file.path.name)
    left = [path for path in file.path.parent.iterdir() if path.name not in kept and not path.is_dir()]
    for path in left:
        path.unlink()
    if left:
        sync(file.path.parent)


def _changed(file: RawFile) -> RawChanged:
    return RawChanged(
        f"raw file {file.name} ({file.path}) no longer has the bytes it was received with. "
        f"Restore it from a backup (sha256 {file.bytes_digest}); nothing was built from the changed bytes."
    )


def received(facts: Path) -> RawFile:
    """The raw file that an arrival.json speaks of."""
    f = json.loads(facts.read_bytes())
    path = facts.parent / f.get("stored", last_part(f["name"]))
    return RawFile(
        f["digest"], f["name"], f["size"], f["arrival"], path, f.get("now", ""), frozenset(f.get("forgotten", ()))
    )


def safe_name(name: str) -> str:
    """A file name made of letters, digits, dot, dash and underscore only, never hidden, at most 120 long.

    Never `arrival.json` or `pieces.json`, the names of what is noted about the file beside it.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-120:].lstrip(".") or "file"
    return f"_{safe}" if safe in ("arrival.json", PIECES) else safe


def safe_path(path: str) -> str:
    """A path of safe names: relative, without `.` and `..`, and of at most 240 characters, of which the last names are kept."""
    names = [safe_name(part) for part in path.split("/") if part not in ("", ".", "..")] or ["file"]
    while len("/".join(names)) > LONGEST_NAME:
        names = names[1:]
    return "/".join(names)


def last_part(name: str) -> str:
    """The last part of a name, under which the bytes lie in the raw store."""
    return name.rpartition("/")[2]


def probe(path: Path, source: Path) -> None:
    """Refuse a file that names a compression or format it does not have. One that breaks off later is taken."""
    try:
        next(lines(path), None)
    except BrokenOff as e:
        if not e.rest.offset and not e.rest.data:
            raise RawUnreadable(
                f"{source} cannot be read as {''.join(source.suffixes[-2:]) or 'text'}: {e}. "
                "Expected JSON Lines (plain, .gz, .zst) or Parquet."
            ) from None


BLANK = b" \t\r\xef\xbb\xbf"
"""What may stand before the first character: white space, a byte order mark."""


def refuse_no_log(path: Path) -> None:
    """Raise `RawUnreadable` when a file has lines and none of them is a JSON object: a table, a picture, one JSON array.

    For files that a person names. One that is dropped in is taken as it is, its lines quarantined: it may be a piece of a log.
    """
    first = b""
    try:
        for line in lines(path):
            if _is_object(line.data):
                return
            first = first or line.data.lstrip(BLANK)
    except (OSError, BrokenOff):  # `keep` tells
        return
    if first:
        raise RawUnreadable(f"{path} is no log: {_instead(first)}. Expected JSON Lines: one JSON object on each line.")


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object."""
    data = line.lstrip(BLANK)
    if not data.startswith(b"{"):
        return False
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _instead(first: bytes) -> str:
    """What a file without a JSON object on any line seems to be, by its first line."""
    if first.startswith(b"["):
        return "it is one JSON array; to make lines of it: jq -c '.[]' FILE > FILE.jsonl"
    if first.startswith(b"{"):
        return "it is one JSON document over several lines; to make a line of it: jq -c . FILE > FILE.jsonl"
    try:
        return f"none of its lines is JSON, the first is {first[:60].decode()!r}"
    except UnicodeDecodeError:
        return "it is no text"


def lines(path: Path, piece: Piece | None = None, total: "hashlib._Hash | None" = None) -> Iterator[Line]:
    """The lines of a file, or of one piece of it (to the end of the file where its size is -1), split on `\\n` only (texts hold U+2028 and U+0085), decompressed as its name says.

    A row of a Parquet file is one line, written as JSON; its offset is its row number. A file that breaks off gives the
    lines before the break and then raises `BrokenOff`, which holds the rest. `total` takes the bytes of the file as they are
    read.
    """
    number, offset = (piece.line - 1, piece.offset) if piece else (0, 0)
    if path.suffix.lower() == ".parquet":
        try:
            for line in _parquet_rows(path):
                number, offset = line.number, line.offset + 1
                yield line
        except BROKEN as e:
            raise BrokenOff(Line(number + 1, offset, b""), e) from None
        return
    rest: list[
        bytes
    ] = []  # of a line longer than one block; joined once, so that long lines cost no more than short ones
    try:
        for block in blocks(path, piece, total):
            if b"\n" not in block:
                rest.append(block)
                continue
            whole = block.split(b"\n")
            whole[0] = b"".join([*rest, whole[0]])
            rest = [last] if (last := whole.pop()) else []
            for data in whole:
                number += 1
                yield Line(number, offset, data)
                offset += len(data) + 1
    except BROKEN as e:
        raise BrokenOff(Line(number + 1, offset, b"".join(rest)), e) from None
    if rest:
        yield Line(number + 1, offset, b"".join(rest))


def blocks(path: Path, piece: Piece | None = None, total: "hashlib._Hash | None" = None) -> Iterator[bytes]:
    """The content, decompressed, in blocks of bounded size, each given as soon as it is known."""
    with path.open("rb") as file:
        match path.suffix.lower():
            case ".gz":
                yield from _gunzipped(_read(file, BLOCK // 16, total))
            case ".zst":
                yield from _unzstd(_read(file, 1 << 13, total))
            case _:
                if piece:
                    file.seek(piece.offset)
                yield from _read(file, BLOCK, total, piece.size if piece else -1)


def _read(file: BinaryIO, step: int, total: "hashlib._Hash | None", size: int = -1) -> Iterator[bytes]:
    """What follows in a file, or the next `size` bytes of it, step by step."""
    while data := file.read(step if size < 0 else min(step, size)):
        if total is not None:
            total.update(data)
        size -= len(data) if size > 0 else 0
        yield data


def _gunzipped(packed: Iterable[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    begun = False
    for data in packed:
        while data:
            if unpack.eof:  # another member follows
                unpack = zlib.decompressobj(wbits=31)
            if block := unpack.decompress(data, BLOCK):
                yield block
            data = unpack.unused_data.lstrip(b"\0") if unpack.eof else unpack.unconsumed_tail
            begun = not unpack.eof
    if begun:
        if block := unpack.flush():
            yield block
        if not unpack.eof:
            raise EOFError("the file ends before its compressed data does")


def _unzstd(packed: Iterable[bytes]) -> Iterator[bytes]:
    """A few kilobytes at a time: each can unpack to thousands of times its size."""
    unpack = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    for data in packed:
        while data:
            if unpack.eof:  # another frame follows
                unpack = zstandard.ZstdDecompressor().decompressobj()
            if block := unpack.decompress(data):
                yield block
            data, begun = unpack.unused_data, not unpack.eof
    if begun:
        raise EOFError("the file ends before its compressed data does")


def _parquet_rows(path: Path) -> Iterator[Line]:
    frame = pl.scan_parquet(path, glob=False)
    total, step = frame.select(pl.len()).collect().item(), 4096
    for start in range(0, total, step):
        for i, row in enumerate(frame.slice(start, step).collect().iter_rows(named=True), start):
            yield Line(i + 1, i, orjson.dumps(row, default=str))


BROKEN = (EOFError, zlib.error, zstandard.ZstdError, pl.exceptions.PolarsError)
"""What reading a file with broken compression or a broken Parquet footer raises."""


class BrokenOff(Exception):
    """The content of a file ends in damage. `rest` is the line that was being read, as far as it came."""

    def __init__(self, rest: Line, cause: Exception) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.rest = rest


def ends_whole(path: Path) -> bool:
    """Whether a file does not break off: its last line has its newline, its compression its end, its Parquet its footer."""
    if path.suffix.lower() in (".gz", ".zst"):
        try:
            return all(True for _ in blocks(path))
        except BROKEN:
            return False
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
        end = file.read()
    return end == b"PAR1" if path.suffix.lower() == ".parquet" else end.endswith(b"\n")
