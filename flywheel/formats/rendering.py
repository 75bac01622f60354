"""Examples to the lines of training files, and the files read back.

Each part of a set is rendered by itself, in every format at once, into segments; the segments of a format in the order of the parts
are its file. So a large set is rendered, and its files are read back, by several processes.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.formats.limits import file_faults, too_long
from flywheel.formats.not_carried import NotCarried
from flywheel.kinds import Export
from flywheel.storage.earlier import Earlier
from flywheel.storage.snapshots import Snapshot, StoredPart, write_synced
from flywheel.workers import one_by_one, side_by_side

SPLITS = ("train", "validation")
NOTHING = pl.Series("id", [], pl.String)
WORTH_PROCESSES = 5_000
"""Examples from which several processes are worth their start."""


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one format: row ids in the order of their lines, and what these do not carry."""

    lines: dict[str, list[str]]
    not_carried: NotCarried
    companions: tuple[str, ...]
    """Files beside the data files."""
    filled: dict[str, str]
    """Split -> its data file in the folder of the format, for the splits with lines."""

    @property
    def losses(self) -> dict[str, "Loss"]:
        """Each thing that the format cannot carry, and how many examples have it."""
        found: dict[str, Loss] = {}
        for id, whats in self.not_carried.lost.items():
            for what in whats:
                found.setdefault(what, Loss()).add(id)
        return dict(sorted(found.items()))


SHOWN = 5
"""Examples named of each loss."""


@dataclass(slots=True)
class Loss:
    """One thing that a format cannot carry: how many examples have it, and the ids of the first of them."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, id: str) -> None:
        """Take up another example."""
        self.rows += 1
        self.examples += [id] if len(self.examples) < SHOWN else []


@dataclass(frozen=True, slots=True)
class _Part:
    """One part, rendered."""

    rows: Sequence[tuple[str, str, bool]]
    """Id, split, and whether the line is that of an earlier release, of each example in order."""
    not_carried: Mapping[str, NotCarried]
    """By format, of the others."""
    files: Path
    """Where the lines of these are: FILES.FORMAT.SPLIT."""


def write_formats(
    formats: Mapping[str, Export], name: str, candidate: Snapshot, folder: Path, before: Earlier | None = None
) -> dict[str, Written]:
    """Write the data files and companions of every format, the first at the top of the folder, the others in folders of their own.

    An example that a format cannot hold is refused, with the reason. Lines of examples that `before` has as they are come from
    there. Raises `ExportInvalid` where a file is larger than the service takes.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".segments-") as aside:
        parts = _rendered(formats, candidate, Path(aside), before)
        notes = candidate.notes
        return {
            use: _joined(form, name, notes, folder, "" if place == 0 else f"{use}/", parts, before)
            for place, (use, form) in enumerate(formats.items())
        }


def _rendered(formats: Mapping[str, Export], candidate: Snapshot, aside: Path, before: Earlier | None) -> list[_Part]:
    """Every part, its examples rendered but for those of an earlier release."""
    same = [before.same(part) if before is not None else NOTHING for part in candidate.parts]
    run = side_by_side if candidate.count() - sum(map(len, same)) >= WORTH_PROCESSES else one_by_one
    files = [aside / f"{n:06}" for n in range(len(same))]
    tasks = [
        partial(render_part, part, formats, file, kept)
        for part, file, kept in zip(candidate.parts, files, same, strict=True)
    ]
    fresh = [not_carried for _, not_carried in sorted(run(tasks), key=lambda done: done[0])]
    rows = [
        part.scan().select("id", "split", kept=pl.col("id").is_in(kept.implode())).collect().rows()
        for part, kept in zip(candidate.parts, same, strict=True)
    ]
    return [_Part(*one) for one in zip(rows, fresh, files, strict=True)]


def _joined(
    form: Export,
    name: str,
    notes: Mapping[str, Any],
    folder: Path,
    prefix: str,
    parts: Sequence[_Part],
    before: Earlier | None,
) -> Written:
    """The parts in one format as its files."""
    earlier = before.not_carried[form.use] if before is not None else NotCarried()
    names = {split: prefix + form.file(split) for split in SPLITS}
    known = {s: {id: n for n, id in enumerate(before.lines.get((form.use, s), ()) if before else ())} for s in SPLITS}
    lines: dict[str, list[str]] = {file: [] for file in names.values()}
    places: dict[str, list[int]] = {split: [] for split in SPLITS}
    no = NotCarried()
    for part in parts:
        for id, split, kept in part.rows:
            of = earlier if kept else part.not_carried[form.use]
            if (why := of.refused.get(id)) is not None:
                no.refused[id] = why
                continue
            if (what := of.lost.get(id)) is not None:
                no.lost[id] = what
            lines[names[split]].append(id)
            places[split].append(known[split][id] if kept else -1)
    for split, file in names.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        old = form.lines(before.folder / file) if before and max(places[split], default=-1) >= 0 else iter(())
        new = _lines_of([part.files.with_name(f"{part.files.name}.{form.use}.{split}") for part in parts])
        form.write(spliced(places[split], old, new), folder / file)
        if faults := file_faults(form.use, file, len(lines[file]), (folder / file).stat().st_size):
            raise ExportInvalid(" ".join(faults))
    filled = {s: form.file(s) for s in SPLITS if lines[names[s]]}
    kind = str(notes.get("kind", ""))
    beside = form.companions(name, kind, filled) | form.settings(kind, notes)
    for companion, data in beside.items():
        write_synced(folder / (prefix + companion), data)
    return Written(lines, no, tuple(prefix + c for c in beside), filled)


def spliced(places: Sequence[int], before: Iterator[bytes], fresh: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in their new order: line `place` of the earlier file, or, where that is -1, the next fresh one. Lines of the earlier file
    keep their order. Raises `ExportInvalid` where `places` asks for them in another: the line would be that of another example."""
    at, line = -1, b""
    for place in places:
        if place < 0:
            yield next(fresh)
            continue
        while at < place:
            at, line = at + 1, next(before)
        if at != place:
            raise ExportInvalid(
                f"line {place + 1:,} of the earlier release is wanted after line {at + 1:,}; expected lines in the order of its file. "
                "Nothing was released."
            )
        yield line


def _lines_of(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            for line in file:
                yield line[:-1]


def render_part(part: StoredPart, formats: Mapping[str, Export], target: Path, but: pl.Series) -> dict[str, NotCarried]:
    """Render one part but for some ids in every format, into the files TARGET.FORMAT.SPLIT."""
    no = {use: NotCarried() for use in formats}
    files = {
        (use, split): target.with_name(f"{target.name}.{use}.{split}").open("wb") for use in formats for split in SPLITS
    }
    try:
        for example in _others(part, but):
            for use, form in formats.items():
                if (line := _line(form, example, no[use])) is not None:
                    files[use, example["split"]].write(line + b"\n")
    finally:
        for file in files.values():
            file.close()
    return no


def _others(part: StoredPart, but: pl.Series) -> Iterator[dict[str, Any]]:
    """The examples of a part but for these ids; where these are all there are, no text is read."""
    if len(but) < part.tables["rows"].rows:
        yield from part.scan().filter(~pl.col("id").is_in(but.implode())).collect().iter_rows(named=True)


def _line(form: Export, example: Mapping[str, Any], no: NotCarried) -> bytes | None:
    """The line of one example, or None where it is refused; reasons and losses are added to `no`."""
    try:
        row = form.render(example)
        line = orjson.dumps(row)
    except Unreadable as e:
        no.refused[example["id"]] = e.reason
        return None
    except ValueError as e:  # a string that should hold JSON and does not
        no.refused[example["id"]] = f"unreadable_json: {type(e).__name__}"
        return None
    if unfit := "over_token_limit" if too_long(form.use, line) else form.fault(row):
        no.refused[example["id"]] = unfit
        return None
    if lost := form.losses(example):
        no.lost[example["id"]] = lost
    return line


def read_back(formats: Mapping[str, Export], written: Mapping[str, Written], folder: Path) -> dict[str, str]:
    """Data file -> who read it back. Raises `ExportInvalid` where a reader refuses a file, or finds another number of lines."""
    files = [(form, name, len(ids)) for use, form in formats.items() for name, ids in written[use].lines.items()]
    run = side_by_side if sum(n for *_, n in files) >= WORTH_PROCESSES else one_by_one
    for at, found in run([partial(form.validate_file, folder / name) for form, name, _ in files]):
        _, name, expected = files[at]
        if found != expected:
            raise ExportInvalid(
                f"{name}: {expected:,} lines were written and {found:,} read back. Nothing was released."
            )
    return {name: form.reader() for form, name, _ in files}
