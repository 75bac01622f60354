"""Which columns of the examples each field of exported lines comes of: found by writing lines, declared nowhere.

A line is written of an example, and the columns it reads are noted: no other can matter. Then it is written again with each of
these changed, and the fields that differ come of it. A column that decides which fields there are, or changes none by itself,
such as the kind of the set, is a condition of the whole line.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import polars as pl

from flywheel.audit.openlineage import Columns
from flywheel.kinds import Export
from flywheel.records import message
from flywheel.storage.snapshots import Snapshot

LOOKED_AT, AT_LEAST = 2_000, 8
"""Examples among which the first with a value in a column is sought, and how many are looked at in any case."""
INSTRUCTIONS = message({"role": "system", "content": "~"})
TOOLS = '[{"type":"function","function":{"name":"a","parameters":{"type":"object","properties":{}}}}]'


class Watched(Mapping[str, Any]):
    """An example that notes which of its columns are read."""

    def __init__(self, example: Mapping[str, Any]) -> None:
        self.example = example
        self.read: set[str] = set()

    def __getitem__(self, column: str) -> Any:
        self.read.add(column)
        return self.example[column]

    def __iter__(self) -> Iterator[str]:
        self.read |= set(self.example)
        return iter(self.example)

    def __len__(self) -> int:
        return len(self.example)


def of_release(candidate: Snapshot, formats: Mapping[str, Export]) -> Columns:
    """Of the files of a release: fields of the first format by their name, of the others as FORMAT/FIELD, as their folders are."""
    found = Columns(candidate.name)
    examples = telling(candidate.scan().head(LOOKED_AT).collect())
    for place, (use, form) in enumerate(formats.items()):
        told = columns_of(form, candidate.name, examples)
        found.fields.update({f"{use}/{f}" if place else f: columns for f, columns in told.fields.items()})
        found.conditions.update(told.conditions)
    return found


def telling(examples: pl.DataFrame) -> list[dict[str, Any]]:
    """The first examples, and for each column the first one that has a value there: what may matter is then read."""
    firsts = {int(has.arg_max() or 0) for c in examples.iter_columns() if (has := c.is_not_null()).any()}
    return [examples.row(n, named=True) for n in sorted(firsts | set(range(min(AT_LEAST, examples.height))))]


def columns_of(form: Export, of: str, examples: Iterable[Mapping[str, Any]]) -> Columns:
    """Of the lines of one format. An example that the format refuses tells nothing."""
    found = Columns(of)
    for example in examples:
        watched = Watched(example)
        if (line := _rendered(form, watched)) is None:
            continue
        for name in line:
            found.fields.setdefault(name, set())
        for column in watched.read:
            others = [_rendered(form, {**example, column: value}) for value in changes(example[column])]
            lines = [other for other in others if other is not None]
            alike = [other for other in lines if other.keys() == line.keys()]
            touched = {name for other in alike for name in line if other[name] != line[name]}
            for name in touched:
                found.fields[name].add(column)
            if not touched or len(alike) < len(lines):
                found.conditions.add(column)
    return found


def _rendered(form: Export, example: Mapping[str, Any]) -> dict[str, Any] | None:
    """The line of an example; None where there is none, for the format refuses it or a changed value cannot be."""
    try:
        return form.render(example)
    except Exception:
        return None


def changes(value: Any) -> Iterator[Any]:
    """Other values than this one, of its type; of none, of any."""
    match value:
        case None:
            yield from ("~", TOOLS, 1.0, True)
        case bool():
            yield not value
        case int() | float():
            yield value + 1
        case str():
            yield f"{value}~"
            yield from _changed_json(value)
        case [{"role": _}, *_]:
            yield [m | {"content": f"{m['content'] or ''}~", "parts": None} for m in value]
            yield from (value[1:], [INSTRUCTIONS, *value])
        case [*_]:
            yield [other for v in value for other in [next(changes(v), None)]]


def _changed_json(value: str) -> Iterator[str]:
    """JSON of a list with one item more, as of the tools that are offered."""
    try:
        told = orjson.loads(value)
    except orjson.JSONDecodeError:
        return
    if isinstance(told, list) and told:
        yield orjson.dumps([*told, told[-1]]).decode()
