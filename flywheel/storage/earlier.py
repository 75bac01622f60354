"""An earlier release of a set, where the same formats wrote the same examples: their lines are taken from its files.

What a format made of an example is the same as long as the example, the format, its limits and the engine are. Every file that is
written is read back as a whole, wherever its lines are from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from flywheel.errors import FlywheelError
from flywheel.formats.limits import limits
from flywheel.formats.not_carried import NotCarried, read_from
from flywheel.kinds import Export
from flywheel.lineage import ENGINE
from flywheel.records import canonical, short_hash
from flywheel.sets import EXAMPLES, TEXTS
from flywheel.storage.snapshots import Store, StoredPart, file_digest

ROWS = "rows.parquet"
BESIDE = [c for c in EXAMPLES if c not in TEXTS]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A release whose files have their bytes, and the version of the set that it was made of."""

    folder: Path
    lines: Mapping[tuple[str, str], Sequence[str]]
    """Format and split -> the ids of the lines of its file."""
    not_carried: Mapping[str, NotCarried]
    """By format."""
    parts: Mapping[str, StoredPart]

    def same(self, part: StoredPart) -> pl.Series:
        """Ids of the examples of a part that the earlier version holds in the part of the same name, just as they are."""
        was = self.parts.get(part.name)
        now = part.scan().select(BESIDE)
        other = was is None or was.tables["rows"].digest != part.tables["rows"].digest
        if was is None or (other and file_digest(was.tables["rows"].path) != was.tables["rows"].digest):
            return now.select("id").clear().collect()["id"]
        if other:
            now = now.join(was.scan().select(BESIDE), on=BESIDE, how="semi", nulls_equal=True)
        return now.select("id").collect()["id"]


def rendering(formats: Mapping[str, Export]) -> str:
    """Hash of everything but the example that decides what its line is, and in which file: the first format stands at the top."""
    told = [[form.step().model_dump(mode="json"), limits(use).model_dump(mode="json")] for use, form in formats.items()]
    return short_hash(ENGINE, canonical(told))


def earlier(folder: Path | None, store: Store, name: str, formats: Mapping[str, Export]) -> Earlier | None:
    """The release in this folder; None where there is none, other rules rendered it, or anything of it is damaged or gone."""
    if folder is None:
        return None
    try:
        manifest: dict[str, Any] = orjson.loads((folder / "manifest.json").read_bytes())
        if manifest["rendering"] != rendering(formats):
            return None
        read = [*manifest["lines"], ROWS]
        if any(file_digest(folder / f) != manifest["files"][f]["sha256"] for f in read):
            return None
        of = store.find(name, manifest["snapshot"])
        parts = {p.name: p for p in of.parts} if of is not None else {}
        rows = pl.read_parquet(folder / ROWS, columns=["id", "split", "refused", "lost"])
        no = {use: read_from(rows, use) for use in formats}
        sides = rows.partition_by("split", as_dict=True, maintain_order=True)
        lines = {
            (use, str(split)): [id for id in side["id"].to_list() if id not in no[use].refused]
            for use in formats
            for (split,), side in sides.items()
        }
        return Earlier(folder, lines, no, parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, FlywheelError, pl.exceptions.PolarsError):
        return None
