"""Parquet tables and manifests, named by content, published once and never changed: the truth for rows and lineage.

    HOME/snapshots/parts/<ab>/<key>/<table>.parquet + part.json    one part of a dataset, named by the hash of its cause
    HOME/snapshots/<dataset>/<derivation key>.json                 a manifest: derivation, version, parts
    HOME/snapshots/<dataset>/HEAD                                  the key of the newest manifest

A part is staged, synced and renamed into place; a manifest is linked only if absent; HEAD is replaced. So a crash at any
moment leaves either the whole or nothing, and the next run takes up what was finished.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import SnapshotDamaged, SnapshotMissing
from flywheel.lineage import Dataset, Derivation, Part, SnapshotRef, account, cause
from flywheel.records import canonical, short_hash


@dataclass(frozen=True, slots=True)
class StoredTable:
    """One Parquet file of a part."""

    path: Path
    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One published part: its name (usually a day), the hash of its cause, its tables."""

    name: str
    key: str
    tables: Mapping[str, StoredTable]

    @property
    def version(self) -> str:
        """Digest of the part's content."""
        return short_hash(*[f"{t}:{self.tables[t].digest}" for t in sorted(self.tables)])

    def scan(self, table: str = "rows") -> pl.LazyFrame:
        """The table of this part."""
        return pl.scan_parquet(self.tables[table].path, glob=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published dataset."""

    name: str
    version: str
    key: str
    derivation: Derivation
    parts: tuple[StoredPart, ...]
    schemas: Mapping[str, pl.Schema]
    notes: Mapping[str, Any]
    made: tuple[str, ...] = ()
    """Names of the parts that were computed when this object was published; the others were already there."""

    @property
    def ref(self) -> SnapshotRef:
        """Name and version, as derivations record them."""
        return SnapshotRef(name=self.name, version=self.version)

    def scan(self, table: str = "rows") -> pl.LazyFrame:
        """All rows of one table, over an explicit list of files."""
        paths = [p.tables[table].path for p in self.parts if table in p.tables and p.tables[table].rows]
        return pl.scan_parquet(paths, glob=False) if paths else pl.LazyFrame(schema=self.schemas[table])

    def count(self, table: str = "rows") -> int:
        """Rows of one table, from the manifest."""
        return sum(p.tables[table].rows for p in self.parts if table in p.tables)

    def part(self, name: str) -> StoredPart | None:
        """The part of this name, or None."""
        return next((p for p in self.parts if p.name == name), None)


class Store:
    """The snapshots of one home."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / "staging"

    # --- parts

    def _part_folder(self, key: str) -> Path:
        return self.root / "parts" / key[:2] / key

    def stored(self, name: str, key: str) -> StoredPart | None:
        """The part with this cause, or None if it was never made."""
        folder = self._part_folder(key)
        try:
            facts = json.loads((folder / "part.json").read_bytes())
        except FileNotFoundError:
            return None
        return StoredPart(
            name,
            key,
            {t: StoredTable(folder / f"{t}.parquet", f["digest"], f["rows"]) for t, f in facts["tables"].items()},
        )

    def put(self, part: Part, schemas: Mapping[str, pl.Schema]) -> StoredPart:
        """Make a part and publish it; if another process was first, theirs is kept."""
        tables = part.make()
        facts: dict[str, dict[str, Any]] = {}
        with self._staged() as folder:
            for table, schema in schemas.items():
                frame = tables[table]
                if frame.schema != schema:
                    wrong = sorted(set(frame.schema.items()) ^ set(schema.items()), key=str)
                    raise SnapshotDamaged(
                        f"table {table} of {part.name} does not have the columns it promises; these differ: {wrong}."
                    )
                path = folder / f"{table}.parquet"
                frame.write_parquet(path, compression="zstd", compression_level=1, statistics=True)
                facts[table] = {"digest": file_digest(path), "rows": frame.height}
                sync(path)
            write_synced(folder / "part.json", canonical({"tables": facts}))
            target = self._part_folder(part.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.rename(target)
            except OSError:  # a non-empty folder is there: published by someone else
                if not (target / "part.json").exists():
                    raise
            sync(target.parent)
        made = self.stored(part.name, part.key)
        assert made is not None
        return made

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        folder = self.staging / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> int:
        """Remove what a killed run left half-made. Call only while holding the home's lock. Returns how many."""
        left = list(self.staging.iterdir()) if self.staging.exists() else []
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return len(left)

    # --- datasets

    def publish(self, dataset: Dataset) -> Snapshot:
        """Make the missing parts, check the law of rows, write the manifest and move HEAD to it."""
        made: list[str] = []
        parts: list[StoredPart] = []
        for part in sorted(dataset.parts, key=lambda p: p.name) or [_nothing(dataset.schemas)]:
            stored = self.stored(part.name, part.key)
            if stored is None:
                stored = self.put(part, dataset.schemas)
                made.append(part.name)
            parts.append(stored)
        version = short_hash(
            *[f"{p.name}:{p.version}" for p in parts], canonical({t: _names(s) for t, s in dataset.schemas.items()})
        )
        key = dataset.derivation.key
        snapshot = Snapshot(
            dataset.name, version, key, dataset.derivation, tuple(parts), dataset.schemas, dataset.notes, tuple(made)
        )
        folder = self.root / dataset.name
        known = self._read(dataset.name, key)
        if known is None or known.version != version or made:
            if dataset.accounts_for is not None:
                rejected = snapshot.scan("rejected") if "rejected" in dataset.schemas else None
                account(dataset.name, dataset.accounts_for, snapshot.scan(), rejected)
            folder.mkdir(parents=True, exist_ok=True)
            body = canonical(
                {
                    "name": dataset.name,
                    "version": version,
                    "derivation": dataset.derivation.model_dump(mode="json"),
                    "parts": [{"name": p.name, "key": p.key} for p in parts],
                    "schemas": {t: _names(s) for t, s in dataset.schemas.items()},
                    "notes": dict(dataset.notes),
                }
            )
            replace_synced(folder / f"{key}.json", body)
        if self.head_key(dataset.name) != key:
            replace_synced(folder / "HEAD", key.encode())
        return snapshot

    def head_key(self, name: str) -> str | None:
        """Key of the newest manifest of a dataset."""
        try:
            return (self.root / name / "HEAD").read_text().strip()
        except FileNotFoundError:
            return None

    def head(self, name: str) -> Snapshot:
        """The newest snapshot of a dataset. Raises `SnapshotMissing` if there is none."""
        key = self.head_key(name)
        found = self._read(name, key) if key else None
        if found is None:
            raise SnapshotMissing(f'dataset "{name}" has not been made yet. Run: flywheel build')
        return found

    def find(self, name: str, version: str) -> Snapshot | None:
        """A snapshot by (the start of) its version."""
        return next((s for s in self.history(name) if s.version.startswith(version)), None)

    def history(self, name: str) -> list[Snapshot]:
        """Every snapshot of a dataset, oldest manifest first."""
        folder = self.root / name
        files = sorted(folder.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name)) if folder.exists() else []
        return [s for f in files if (s := self._read(name, f.stem)) is not None]

    def names(self) -> list[str]:
        """Datasets that have a HEAD."""
        return sorted(p.parent.name for p in self.root.glob("*/HEAD"))

    def _read(self, name: str, key: str) -> Snapshot | None:
        try:
            body = json.loads((self.root / name / f"{key}.json").read_bytes())
        except FileNotFoundError:
            return None
        parts = []
        for entry in body["parts"]:
            part = self.stored(entry["name"], entry["key"])
            if part is None:
                raise SnapshotDamaged(
                    f"{name}: part {entry['name']} ({entry['key']}) is named by the manifest but not there. Run: flywheel build"
                )
            parts.append(part)
        schemas = {t: parts[0].scan(t).collect_schema() for t in body["schemas"]}
        return Snapshot(
            name,
            body["version"],
            key,
            Derivation.model_validate(body["derivation"]),
            tuple(parts),
            schemas,
            body["notes"],
        )

    def verify(self) -> list[str]:
        """Re-hash every stored table; one sentence for each that no longer has its bytes."""
        bad = []
        for facts in sorted(self.root.glob("parts/*/*/part.json")):
            for table, fact in json.loads(facts.read_bytes())["tables"].items():
                path = facts.parent / f"{table}.parquet"
                if not path.exists():
                    bad.append(f"{path} is missing.")
                elif file_digest(path) != fact["digest"]:
                    bad.append(f"{path} has changed since it was published.")
        return bad


def _nothing(schemas: Mapping[str, pl.Schema]) -> Part:
    """A part without rows, so that a dataset without days still has its columns."""
    names = {t: _names(s) for t, s in schemas.items()}
    return Part(
        "none", cause("none", canonical(names)), lambda: {t: pl.DataFrame(schema=s) for t, s in schemas.items()}
    )


def _names(schema: pl.Schema) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in schema.items()}


def file_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and flush it."""
    with path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def replace_synced(path: Path, data: bytes) -> None:
    """Put a file in place in one step: readers see the old bytes or the new, never a mixture."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_synced(temporary, data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)
