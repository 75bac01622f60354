"""Parquet tables and manifests, named by content, published once and never changed: the truth for rows and lineage.

    HOME/snapshots/parts/<ab>/<key>/<table>.parquet + part.json    one part of a dataset, named by the hash of its cause
    HOME/snapshots/<dataset>/<derivation key>.json                 a manifest: derivation, version, parts
    HOME/snapshots/<dataset>/HEAD                                  the key of the newest manifest
    HOME/snapshots/<set>/releases.jsonl                            its releases, first to last (see releasing.py)

A part is staged, synced and renamed into place; a manifest is linked only if absent; HEAD is replaced. So a crash at any
moment leaves either the whole or nothing, and the next run takes up what was finished.
"""

import ctypes
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.errors import SnapshotDamaged, SnapshotMissing
from flywheel.lineage import Dataset, Derivation, Part, SnapshotRef, account, cause
from flywheel.records import canonical, short_hash
from flywheel.workers import side_by_side

WORTH_A_PROCESS = 0.7
"""Seconds of one part from which the others are made by workers: starting those takes about as long."""

ROW_GROUP = 1 << 15
"""Rows of a table larger than memory that are written at a time."""

_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of renameat2(2): Python has no call for it."""


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
    of: str = ""
    """See `Part.of`."""

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


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was published, without its parts: cheap to list, however many there are."""

    name: str
    key: str
    version: str


class Store:
    """The snapshots of one home."""

    def __init__(self, root: Path, workers: int = 1) -> None:
        self.root = root
        self.staging = root / "staging"
        self.workers = workers
        """Processes that make parts; 1: all are made in this one."""
        self.worth_it = False
        """Whether some part took so long that processes are worth their start."""
        self._known: dict[Path, tuple[list[tuple[int, int]], Snapshot]] = {}
        """Manifests that were read, and the size and time of each and of its tables."""

    # --- parts

    def _part_folder(self, key: str) -> Path:
        return self.root / "parts" / key[:2] / key

    def stored(self, name: str, key: str) -> StoredPart | None:
        """The part with this cause, or None if it was never made, or lost a file or its end: it is to be made again.

        Raises `SnapshotDamaged` when its description cannot be read.
        """
        folder = self._part_folder(key)
        try:
            told = json.loads((folder / "part.json").read_bytes())
            facts, of = told["tables"], str(told.get("of", ""))
            tables = {t: StoredTable(folder / f"{t}.parquet", f["digest"], f["rows"]) for t, f in facts.items()}
            sizes = {t: table.path.stat().st_size for t, table in tables.items()}
            whole = all(f.get("size", sizes[t]) == sizes[t] for t, f in facts.items())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SnapshotDamaged(
                f"{folder / 'part.json'} is damaged. Delete the folder {folder}, then run: flywheel build"
            ) from None
        return StoredPart(name, key, tables, of) if whole else None

    def put(self, part: Part, schemas: Mapping[str, pl.Schema]) -> StoredPart:
        """Make a part and publish it; if another process was first, theirs is kept."""
        tables = part.make()
        facts: dict[str, dict[str, Any]] = {}
        with self._staged() as folder:
            for table, schema in schemas.items():
                frame = tables[table]
                have = frame.collect_schema()
                if have != schema:
                    wrong = sorted(set(have.items()) ^ set(schema.items()), key=str)
                    raise SnapshotDamaged(
                        f"table {table} of {part.name} does not have the columns it promises; these differ: {wrong}."
                    )
                path = folder / f"{table}.parquet"
                rows = _write(frame, path)
                facts[table] = {"digest": file_digest(path), "rows": rows, "size": path.stat().st_size}
                sync(path)
            write_synced(folder / "part.json", canonical({"tables": facts} | ({"of": part.of} if part.of else {})))
            target = self._part_folder(part.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and self.stored(part.name, part.key) is None:  # it lost a file
                target.rename(folder.with_suffix(".lost"))
            try:
                folder.rename(target)
            except OSError:  # a non-empty folder is there: published by someone else
                if self.stored(part.name, part.key) is None:
                    raise
            sync(target.parent)
        made = self.stored(part.name, part.key)
        assert made is not None
        return made

    def _made(self, parts: Sequence[Part], schemas: Mapping[str, pl.Schema]) -> dict[str, StoredPart]:
        """Make parts; with workers, side by side as soon as one turns out to be worth a process."""
        made: dict[str, StoredPart] = {}
        waiting = list(parts)
        while waiting:
            if self.workers > 1 and len(waiting) > 1 and self.worth_it:
                tasks = [partial(_put, self.root, part, schemas) for part in waiting]
                made |= {waiting[at].name: stored for at, stored in side_by_side(tasks)}
                break
            began, part = time.monotonic(), waiting.pop(0)
            made[part.name] = self.put(part, schemas)
            self.worth_it = self.worth_it or time.monotonic() - began > WORTH_A_PROCESS
        return made

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        folder = self.staging / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            for left in (folder, folder.with_suffix(".lost")):
                shutil.rmtree(left, ignore_errors=True)

    def sweep(self) -> int:
        """Remove what a killed run left half-made. Call only while holding the home's lock. Returns how many."""
        left = list(self.staging.iterdir()) if self.staging.exists() else []
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return len(left)

    # --- datasets

    def publish(self, dataset: Dataset) -> Snapshot:
        """Make the missing parts, check the law of rows, write the manifest and move HEAD to it."""
        wanted = sorted(dataset.parts, key=lambda p: p.name) or [_nothing(dataset.schemas)]
        there = [self.stored(part.name, part.key) for part in wanted]
        missing = [part for part, stored in zip(wanted, there, strict=True) if stored is None]
        made = tuple(part.name for part in missing)
        fresh = self._made(missing, dataset.schemas)
        parts = [stored or fresh[part.name] for part, stored in zip(wanted, there, strict=True)]
        version = short_hash(
            *[f"{p.name}:{p.version}" for p in parts], canonical({t: _names(s) for t, s in dataset.schemas.items()})
        )
        key = dataset.derivation.key
        snapshot = Snapshot(
            dataset.name, version, key, dataset.derivation, tuple(parts), dataset.schemas, dataset.notes, made
        )
        folder = self.root / dataset.name
        if made or self._version(folder / f"{key}.json") != version:
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

    def _version(self, manifest: Path) -> str | None:
        """The version a manifest gives; None when it is not there or damaged: then it is written anew."""
        try:
            return str(self._body(manifest)["version"])
        except (FileNotFoundError, SnapshotDamaged):
            return None

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

    def newest(self, name: str) -> Snapshot | None:
        """The newest snapshot of a dataset; None where there is none, or none that can be read."""
        try:
            return self.head(name)
        except (SnapshotMissing, SnapshotDamaged):
            return None

    def find(self, name: str, version: str) -> Snapshot | None:
        """A snapshot by (the start of) its version: the newest one if it has it, else the first by key."""
        head = self.head_key(name)
        keys = [m.key for m in self.history(name) if m.version.startswith(version)]
        return self._read(name, min(keys, key=lambda k: (k != head, k))) if keys else None

    def history(self, name: str) -> list[Manifest]:
        """Everything ever published under a name, by key: reads the manifests and none of their parts."""
        return [Manifest(name, f.stem, self._body(f)["version"]) for f in sorted((self.root / name).glob("*.json"))]

    def names(self) -> list[str]:
        """Datasets that have a HEAD."""
        return sorted(p.parent.name for p in self.root.glob("*/HEAD"))

    def _body(self, manifest: Path) -> dict[str, Any]:
        """What a manifest says. Raises `SnapshotDamaged` when it is none."""
        data = manifest.read_bytes()
        try:
            body: dict[str, Any] = json.loads(data)
            if missing := {"version", "derivation", "parts", "schemas", "notes"} - set(body):
                raise ValueError(f"it lacks {', '.join(sorted(missing))}")
            body["derivation"] = Derivation.model_validate(body["derivation"])
        except (ValueError, TypeError) as e:
            raise SnapshotDamaged(
                f"the manifest {manifest} is damaged ({str(e).splitlines()[0]}). Delete it, then run: flywheel build"
            ) from None
        return body

    def _read(self, name: str, key: str) -> Snapshot | None:
        manifest = self.root / name / f"{key}.json"
        try:
            if (known := self._known.get(manifest)) is not None and known[0] == _stamps(manifest, known[1].parts):
                return known[1]
            before = _stamps(manifest, ())
            body = self._body(manifest)
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
        schemas = {t: _schema(parts[0].tables[t].path) for t in body["schemas"]}
        read = Snapshot(name, body["version"], key, body["derivation"], tuple(parts), schemas, body["notes"])
        if (stamps := _stamps(manifest, read.parts))[:1] == before:  # else it was replaced meanwhile
            self._known[manifest] = stamps, read
        return read

    def verify(self) -> list[str]:
        """Re-hash every stored table; one sentence for each that no longer has its bytes."""
        bad = []
        for facts in sorted(self.root.glob("parts/*/*/part.json")):
            try:
                tables = json.loads(facts.read_bytes())["tables"]
            except (ValueError, KeyError, TypeError):
                bad.append(f"{facts} is damaged.")
                continue
            for table, fact in tables.items():
                path = facts.parent / f"{table}.parquet"
                if not path.exists():
                    bad.append(f"{path} is missing.")
                elif file_digest(path) != fact["digest"]:
                    bad.append(f"{path} has changed since it was published.")
        return bad


def _put(root: Path, part: Part, schemas: Mapping[str, pl.Schema]) -> StoredPart:
    return Store(root).put(part, schemas)


def _nothing(schemas: Mapping[str, pl.Schema]) -> Part:
    """A part without rows, so that a dataset without days still has its columns."""
    names = {t: _names(s) for t, s in schemas.items()}
    return Part(
        "none", cause("none", canonical(names)), lambda: {t: pl.DataFrame(schema=s) for t, s in schemas.items()}
    )


def _write(frame: pl.DataFrame | pl.LazyFrame, path: Path) -> int:
    """Write a table; the number of its rows. Of a lazy one only some rows at a time are in memory."""
    if isinstance(frame, pl.DataFrame):
        frame.write_parquet(path, compression="zstd", compression_level=1, statistics=True)
        return frame.height
    frame.sink_parquet(path, compression="zstd", compression_level=1, statistics=True, row_group_size=ROW_GROUP)
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


def _schema(table: Path) -> pl.Schema:
    """The columns of a stored table. Raises `SnapshotDamaged` when it is no Parquet file any more."""
    try:
        return pl.scan_parquet(table, glob=False).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as e:
        raise SnapshotDamaged(
            f"{table} cannot be read ({str(e).splitlines()[0]}). Delete the folder {table.parent}, then run: flywheel build"
        ) from None


def _stamps(manifest: Path, parts: Sequence[StoredPart]) -> list[tuple[int, int]]:
    """Size and time of a manifest and of the tables of its parts; none where one of them is gone."""
    try:
        told = [os.stat(p) for p in (manifest, *(t.path for part in parts for t in part.tables.values()))]
    except FileNotFoundError:
        return []
    return [(s.st_size, s.st_mtime_ns) for s in told]


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


def write_synced(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a new file and flush it; nobody whom `mode` does not let may open it, not even while it is written."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def exchanged(one: Path, other: Path) -> bool:
    """Let two paths of one disk change places, so that neither is ever missing. False where the system cannot."""
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    return call is not None and call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def replace_synced(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Put a file in place in one step: readers see the old bytes or the new, never a mixture."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_synced(temporary, data, mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)
