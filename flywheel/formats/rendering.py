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

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.formats.limits import file_faults, too_long
from flywheel.kinds import Export
from flywheel.storage.snapshots import Snapshot, StoredPart, write_synced
from flywheel.workers import one_by_one, side_by_side

SPLITS = ("train", "validation")
WORTH_PROCESSES = 5_000
"""Examples from which several processes are worth their start."""


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one format: row ids in the order of their lines, refused ids with reasons, and what was lost of how many."""

    lines: dict[str, list[str]]
    refused: dict[str, str]
    losses: dict[str, "Loss"]
    companions: tuple[str, ...]
    """Files beside the data files."""
    filled: dict[str, str]
    """Split -> its data file in the folder of the format, for the splits with lines."""


SHOWN = 5
"""Examples named of each loss."""


@dataclass(slots=True)
class Loss:
    """One thing that a format cannot carry: how many examples have it, and the ids of the first of them."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, rows: int, examples: Sequence[str]) -> None:
        """Take up further examples."""
        self.rows, self.examples = self.rows + rows, [*self.examples, *examples][:SHOWN]


@dataclass(slots=True)
class Segment:
    """What became of one part in one format."""

    ids: dict[str, list[str]] = field(default_factory=lambda: {s: [] for s in SPLITS})
    """Split -> ids in the order of the lines."""
    refused: dict[str, str] = field(default_factory=dict)
    losses: dict[str, Loss] = field(default_factory=dict)


def write_formats(formats: Mapping[str, Export], name: str, candidate: Snapshot, folder: Path) -> dict[str, Written]:
    """Write the data files and companions of every format, the first at the top of the folder, the others in folders of their own.

    An example that a format cannot hold is refused, with the reason. Raises `ExportInvalid` where a file is larger than the
    service takes.
    """
    run = side_by_side if candidate.count() >= WORTH_PROCESSES else one_by_one
    with tempfile.TemporaryDirectory(dir=folder, prefix=".segments-") as aside:
        tasks = [partial(render_part, part, formats, Path(aside) / f"{n:06}") for n, part in enumerate(candidate.parts)]
        segments = [segment for _, segment in sorted(run(tasks), key=lambda done: done[0])]
        notes = candidate.notes
        return {
            use: _joined(
                form, name, notes, folder, "" if place == 0 else f"{use}/", [s[use] for s in segments], Path(aside)
            )
            for place, (use, form) in enumerate(formats.items())
        }


def _joined(
    form: Export,
    name: str,
    notes: Mapping[str, Any],
    folder: Path,
    prefix: str,
    segments: Sequence[Segment],
    aside: Path,
) -> Written:
    """The segments of one format as its files."""
    lines: dict[str, list[str]] = {}
    for split in SPLITS:
        file = prefix + form.file(split)
        lines[file] = [i for s in segments for i in s.ids[split]]
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        form.write(_lines_of([aside / f"{n:06}.{form.use}.{split}" for n in range(len(segments))]), folder / file)
        if faults := file_faults(form.use, file, len(lines[file]), (folder / file).stat().st_size):
            raise ExportInvalid(" ".join(faults))
    filled = {s: form.file(s) for s in SPLITS if lines[prefix + form.file(s)]}
    kind = str(notes.get("kind", ""))
    beside = form.companions(name, kind, filled) | form.settings(kind, notes)
    for companion, data in beside.items():
        write_synced(folder / (prefix + companion), data)
    losses: dict[str, Loss] = {}
    for what, lost in sorted((item for s in segments for item in s.losses.items()), key=lambda item: item[0]):
        losses.setdefault(what, Loss()).add(lost.rows, lost.examples)
    refused = {i: why for s in segments for i, why in s.refused.items()}
    return Written(lines, refused, losses, tuple(prefix + c for c in beside), filled)


def _lines_of(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            for line in file:
                yield line[:-1]


def render_part(part: StoredPart, formats: Mapping[str, Export], target: Path) -> dict[str, Segment]:
    """Render one part in every format, into the files TARGET.FORMAT.SPLIT."""
    told = {use: Segment() for use in formats}
    files = {
        (use, split): target.with_name(f"{target.name}.{use}.{split}").open("wb") for use in formats for split in SPLITS
    }
    try:
        for example in part.scan().collect().iter_rows(named=True):
            for use, form in formats.items():
                if (line := _line(form, example, told[use])) is not None:
                    told[use].ids[example["split"]].append(example["id"])
                    files[use, example["split"]].write(line + b"\n")
    finally:
        for file in files.values():
            file.close()
    return told


def _line(form: Export, example: Mapping[str, Any], segment: Segment) -> bytes | None:
    """The line of one example, or None where it is refused; losses and reasons are told to the segment."""
    try:
        row = form.render(example)
        line = orjson.dumps(row)
    except Unreadable as e:
        segment.refused[example["id"]] = e.reason
        return None
    except ValueError as e:  # a string that should hold JSON and does not
        segment.refused[example["id"]] = f"unreadable_json: {type(e).__name__}"
        return None
    if unfit := "over_token_limit" if too_long(form.use, line) else form.fault(row):
        segment.refused[example["id"]] = unfit
        return None
    for what in form.losses(example):
        segment.losses.setdefault(what, Loss()).add(1, [example["id"]])
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
