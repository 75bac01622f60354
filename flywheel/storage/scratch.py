"""Tables larger than memory, on their way to the store: written aside batch by batch, and read back as they are stored."""

import shutil
import uuid
import weakref
from collections import defaultdict
from pathlib import Path

import polars as pl


class Scratch:
    """Batches of tables in files below `root`, which are removed with this object."""

    def __init__(self, root: Path) -> None:
        self.folder = root / f".staged-{uuid.uuid4().hex}"
        self.paths: dict[str, list[Path]] = defaultdict(list)
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def add(self, table: str, batch: pl.DataFrame) -> None:
        """Put the next rows of a table aside."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{table}-{len(self.paths[table])}.arrow"
        batch.write_ipc(path, compression="lz4")
        self.paths[table].append(path)

    def scan(self, table: str) -> pl.LazyFrame:
        """All rows of a table that were put aside, in their order."""
        return pl.scan_ipc(self.paths[table], glob=False)


class Kept(dict[str, pl.DataFrame | pl.LazyFrame]):
    """Tables that keep the scratch files they are read from."""

    def __init__(self, tables: dict[str, pl.DataFrame | pl.LazyFrame], scratch: Scratch) -> None:
        super().__init__(tables)
        self.scratch = scratch
