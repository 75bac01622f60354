"""Benchmark files: what each item asks, and where its word sequences are found in other texts."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from flywheel.errors import RecipeInvalid
from flywheel.storage.snapshots import file_digest

ASKED = ("question", "prompt", "turns", "instruction", "problem", "text", "input", "query", "goal")
"""Fields that hold what an item asks; the first there is counts. A list is several texts of one item."""
NAMED = ("item", "task_id", "question_id", "id", "uid")
"""Fields that name an item; without one, it is called by its place in the file, from 0."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a benchmark's item."""

    name: str
    """`file#item`."""
    text: str


def short_name(path: str | Path) -> str:
    """The file's name without folders and endings: gsm8k_test."""
    return Path(path).name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")


def digest(path: Path) -> str:
    """SHA-256 of the file. Raises `RecipeInvalid` where it cannot be read."""
    try:
        return file_digest(path)
    except OSError as e:
        raise _missing(path, e) from None


def items(path: Path, field: str | None = None) -> tuple[Item, ...]:
    """The items of one benchmark file: JSON Lines, plain or gzip. `field` names what is asked; without it, it is one of ASKED.

    Raises `RecipeInvalid` where the file cannot be read, is no JSON Lines, or a record has no such field.
    """
    try:
        stamp = path.stat()
        return _items(path, field, stamp.st_mtime_ns, stamp.st_size)
    except OSError as e:
        raise _missing(path, e) from None


@lru_cache(maxsize=64)
def _items(path: Path, field: str | None, modified: int, size: int) -> tuple[Item, ...]:
    found = tuple(_read(path, field))
    if not found:
        raise RecipeInvalid(f"the benchmark file {path} holds no item. Give a file with one JSON object a line.")
    return found


def answered(path: Path, field: str) -> Iterator[tuple[str, str]]:
    """What each item of a file asks first, and its answer, a text or number in `field`; items without either are passed over.

    Raises `RecipeInvalid` where the file is no JSON Lines.
    """
    for _, record in _records(path):
        asked, answer = _asked(record, None), record.get(field)
        if asked and isinstance(answer, str | int | float) and not isinstance(answer, bool):
            yield asked[0], str(answer)


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and object of each line. Raises `RecipeInvalid`."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as e:
            raise RecipeInvalid(f"the benchmark file {path} is no whole gzip file ({e}). Copy it again.") from None
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield number, _record(path, number, line)


def _read(path: Path, field: str | None) -> Iterator[Item]:
    for at, (number, record) in enumerate(_records(path)):
        name = next((record[f] for f in NAMED if isinstance(record.get(f), str | int)), at)
        texts = _asked(record, field)
        if not texts:
            wanted = f'"{field}"' if field else f"one of {', '.join(ASKED)}"
            raise RecipeInvalid(
                f"{path}, line {number}: the record has the fields {', '.join(list(record)[:8]) or '(none)'}; expected a text in "
                f'{wanted}. Name the field that holds what the item asks: [[signal]] use = "benchmark_overlap", field = "…".'
            )
        yield from (Item(f"{short_name(path)}#{name}", text) for text in texts)


def _record(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as e:
        raise RecipeInvalid(
            f"{path}, line {number}: no JSON ({e}). A benchmark file has one JSON object a line, plain or gzip."
        ) from None
    if not isinstance(record, dict):
        raise RecipeInvalid(f"{path}, line {number}: found a {type(record).__name__}; expected one JSON object a line.")
    return record


def _asked(record: Mapping[str, Any], field: str | None) -> list[str]:
    """The texts of the first field that holds any; messages of a chat count by their content."""
    for name in [field] if field else ASKED:
        value = record.get(name)
        each: Sequence[Any] = value if isinstance(value, list) else [value]
        said = [v.get("content") if isinstance(v, dict) else v for v in each]
        if texts := [t for t in said if isinstance(t, str) and t.strip()]:
            return texts
    return []


def _missing(path: Path, error: OSError) -> RecipeInvalid:
    return RecipeInvalid(
        f"the benchmark file {path} cannot be read: {error.strerror}. Benchmark files are named relative to the recipe's folder."
    )
