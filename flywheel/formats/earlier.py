"""An earlier release of a set, where the same formats wrote the same examples: their lines are taken from its files.

What a format made of an example is the same as long as the example, the format, its limits and the engine are. Every file that is
written is read back as a whole, wherever its lines are from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from flywheel.errors import FlywheelError
from flywheel.formats.limits import limits
from flywheel.kinds import Export
from flywheel.lineage import ENGINE
from flywheel.records import canonical, short_hash
from flywheel.sets import EXAMPLES
from flywheel.storage.snapshots import Store, StoredPart, file_digest

ROWS = "rows.parquet"
TEXTS = ("prompt", "completion", "rejected", "tools")
"""The columns of an example that its digest speaks for."""
BESIDE = [c for c in EXAMPLES if c not in TEXTS]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A release whose files have their bytes, and the version of the set that it was made of."""

    folder: Path
    lines: Mapping[tuple[str, str], Sequence[str]]
    """Format and split -> the ids of the lines of its file."""
    told: Mapping[str, tuple[Mapping[str, str], Mapping[str, Sequence[str]]]]
    """Format -> the reason of each example it refused, and what it lost of which."""
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
        told = {use: _told(rows, use) for use in formats}
        sides = rows.partition_by("split", as_dict=True, maintain_order=True)
        lines = {
            (use, str(split)): [id for id in side["id"].to_list() if id not in no]
            for use, (no, _) in told.items()
            for (split,), side in sides.items()
        }
        return Earlier(folder, lines, told, parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, FlywheelError, pl.exceptions.PolarsError):
        return None


def told_of(every: Mapping[str, tuple[Mapping[str, str], Mapping[str, Sequence[str]]]]) -> pl.DataFrame:
    """`id`, `refused` and `lost`: of each example that a format refused, or lost something of, the format and the reason, "FORMAT: WHY"."""
    refused = [(i, f"{use}: {why}") for use, (no, _) in every.items() for i, why in no.items()]
    lost = [(i, f"{use}: {what}") for use, (_, gone) in every.items() for i, whats in gone.items() for what in whats]
    frames = [
        pl.DataFrame(rows, schema={"id": pl.String, name: pl.String}, orient="row")
        .group_by("id", maintain_order=True)
        .agg(name)
        for name, rows in (("refused", refused), ("lost", lost))
    ]
    return frames[0].join(frames[1], on="id", how="full", coalesce=True)


def _told(rows: pl.DataFrame, use: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Of one format: the reason of each refused example, and what it lost of which."""
    head = f"{use}: "
    no, gone = (
        rows.select("id", said=name).drop_nulls().explode("said").filter(pl.col("said").str.starts_with(head))
        for name in ("refused", "lost")
    )
    lost: dict[str, list[str]] = {}
    for id, what in gone.iter_rows():
        lost.setdefault(id, []).append(what.removeprefix(head))
    return {id: why.removeprefix(head) for id, why in no.iter_rows()}, lost


def spliced(places: Sequence[int], before: Iterator[bytes], fresh: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in their new order: line `place` of the earlier file, or, where that is -1, the next fresh one. Lines of the earlier file
    keep their order."""
    at, line = -1, b""
    for place in places:
        if place < 0:
            yield next(fresh)
            continue
        while at < place:
            at, line = at + 1, next(before)
        assert at == place, "lines of the earlier file are asked for in another order"
        yield line
