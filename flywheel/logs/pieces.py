"""A large plain file, cut into runs of whole lines, so that it is read in bounded memory and by several processes."""

import hashlib
from pathlib import Path
from typing import NamedTuple

PIECE = 64 << 20
"""Bytes after which a plain file is cut, at the next newline: what is in memory at one time, and what one process reads."""


class Piece(NamedTuple):
    """A run of whole lines: its number (from 0), where it begins, its bytes, the number of its first line, its digest."""

    number: int
    offset: int
    size: int
    line: int
    digest: str


def is_plain(path: Path) -> bool:
    """Whether a file holds its lines as they are: neither compressed nor a table."""
    return path.suffix.lower() not in (".gz", ".zst", ".parquet")


class Cutter:
    """Cuts the bytes of a plain file into pieces as they pass by."""

    def __init__(self) -> None:
        self.done: list[Piece] = []
        self.line, self.offset = 1, 0
        self.size, self.newlines, self.total = 0, 0, hashlib.sha256()

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        while (cut := block.find(b"\n", max(0, PIECE - self.size - 1))) >= 0:
            self._take(block[: cut + 1])
            self._close()
            block = block[cut + 1 :]
        self._take(block)

    def pieces(self) -> list[Piece]:
        """The pieces of what was fed; nothing can be fed after."""
        if self.size:
            self._close()
        return self.done

    def _take(self, data: bytes) -> None:
        self.total.update(data)
        self.size += len(data)
        self.newlines += data.count(b"\n")

    def _close(self) -> None:
        self.done.append(Piece(len(self.done), self.offset, self.size, self.line, self.total.hexdigest()))
        self.line, self.offset = self.line + self.newlines, self.offset + self.size
        self.size, self.newlines, self.total = 0, 0, hashlib.sha256()
