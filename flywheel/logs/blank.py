"""Forgetting lines of a raw file: they are made blank in every byte, and all others keep their number, offset and bytes."""

import json
import os
import zlib
from collections.abc import Collection
from pathlib import Path

import orjson
import polars as pl
import zstandard

from flywheel.logs.pieces import is_plain
from flywheel.logs.raw import PIECES, BrokenOff, RawFile, blocks, last_part, lines, received, tidy
from flywheel.storage.snapshots import file_digest, replace_synced, sync


def forget(file: RawFile, numbers: Collection[int], name: str | None = None) -> RawFile:
    """Blank these lines of a kept file and note their numbers; with `name`, call it so from now on. Returns the file as it is then.

    The new bytes are written beside the old ones, then the notes are replaced, then the old bytes removed: a crash leaves the
    one or the other, and doing it again ends it.
    """
    wanted, name = file.forgotten | set(numbers), name or file.name
    if wanted != file.forgotten or name != file.name:
        return _replaced(file, file.path, wanted, name)
    tidy(file)
    return file


def bring_back(file: RawFile, whole: Path, numbers: Collection[int], name: str) -> RawFile:
    """Give a kept file the bytes it was received with, `whole`, with only these lines blank, and call it `name`. Returns the file as
    it is then.

    As `forget` does it: a crash leaves the bytes before or those after. Where no line stays blank, `whole` is moved.
    """
    return _replaced(file, whole, frozenset(numbers), name)


def _replaced(file: RawFile, source: Path, numbers: frozenset[int], name: str) -> RawFile:
    """The kept file with the bytes of `source`, these lines of them blank."""
    notes = file.path.parent / "arrival.json"
    facts = json.loads(notes.read_bytes())
    erasures, last = 1 + facts.get("erasures", 0), last_part(name)
    erasures += file.path.name == f"{erasures}-{last}"  # it came under such a name, perhaps from another home
    path = file.path.with_name(f"{erasures}-{last}")
    whole = source != file.path and not numbers
    if whole:
        os.replace(source, path)
    else:
        write_blanked(source, path, numbers)
    path.chmod(0o444)
    (path.parent / PIECES).unlink(missing_ok=True)
    sync(path.parent)
    facts |= {"now": "" if whole else file_digest(path), "size": path.stat().st_size, "stored": path.name, "name": name}
    replace_synced(notes, orjson.dumps(facts | {"erasures": erasures, "forgotten": sorted(numbers)}))
    now = received(notes)
    tidy(now)
    return now


def write_blanked(source: Path, target: Path, numbers: Collection[int]) -> None:
    """Write a copy in which these lines are spaces, as many as they had bytes; a row of a Parquet file loses its values.

    The compression stays; a file that breaks off breaks off at the same place.
    """
    target.unlink(missing_ok=True)
    if source.suffix.lower() == ".parquet":
        _blank_rows(source, target, numbers)
    elif is_plain(source):
        _blank_in_place(source, target, numbers)
    else:
        _blank_packed(source, target, set(numbers))
    sync(target)


def _blank_in_place(source: Path, target: Path, numbers: Collection[int]) -> None:
    """Of a plain file: number for number, between the bytes that stay."""
    wanted = set(numbers)
    with target.open("wb") as out:
        for line in lines(source):
            out.write(b" " * len(line.data) if line.number in wanted else line.data)
            out.write(b"\n")
        size = source.stat().st_size
        out.truncate(size)  # the last line may have had no newline


def _blank_packed(source: Path, target: Path, numbers: set[int]) -> None:
    """Of a compressed file: what it holds is packed again, to the end or to where it breaks off."""
    gzip = source.suffix.lower() == ".gz"
    pack = _Gzip() if gzip else _Zstd()
    whole, before, ends = True, False, True
    with target.open("wb") as out:
        try:
            for line in lines(source):
                out.write(pack.take((b"\n" if before else b"") + _kept(line.number, line.data, numbers)))
                before = True
            ends = _ends_with_newline(source)
        except BrokenOff as e:
            whole = False
            out.write(pack.take((b"\n" if before else b"") + _kept(e.rest.number, e.rest.data, numbers)))
        if whole and before and ends:
            out.write(pack.take(b"\n"))
        out.write(pack.end() if whole else pack.break_off())


def _kept(number: int, data: bytes, numbers: set[int]) -> bytes:
    return b" " * len(data) if number in numbers else data


def _ends_with_newline(source: Path) -> bool:
    last = b"\n"
    for block in blocks(source):
        last = block[-1:] or last
    return last == b"\n"


class _Gzip:
    """Packs as gzip does; without a time, so that the same lines give the same bytes."""

    def __init__(self) -> None:
        self.packing, self.flush = zlib.compressobj(6, wbits=31), zlib.Z_SYNC_FLUSH

    def take(self, data: bytes) -> bytes:
        return self.packing.compress(data)

    def end(self) -> bytes:
        return self.packing.flush()

    def break_off(self) -> bytes:
        return self.packing.flush(self.flush)


class _Zstd:
    """Packs as zstd does."""

    def __init__(self) -> None:
        self.packing = zstandard.ZstdCompressor().compressobj()

    def take(self, data: bytes) -> bytes:
        return self.packing.compress(data)

    def end(self) -> bytes:
        return self.packing.flush()

    def break_off(self) -> bytes:
        return self.packing.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def _blank_rows(source: Path, target: Path, numbers: Collection[int]) -> None:
    """Of a Parquet file: line n is row n - 1."""
    frame = pl.read_parquet(source, glob=False)
    gone = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).is_in(sorted(numbers))
    frame.select(pl.when(~gone).then(pl.all())).write_parquet(target)
