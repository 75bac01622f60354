"""What fine-tuning services take: rows, bytes and tokens, from the dated file exports_limits.toml."""

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import BaseModel


class Limits(BaseModel, frozen=True, extra="forbid"):
    """The limits of one service; None where it states none."""

    as_of: date
    """When its documentation was read."""
    rows_min: int | None = None
    rows_max: int | None = None
    rows_advised: int | None = None
    bytes_max: int | None = None
    """Of one file."""
    tokens_max: int | None = None
    """Of one line, counted with o200k: an estimate for services with another tokenizer."""
    closes: date | None = None
    """The day from which the service itself starts no training; others take its format on."""
    images_per_row: int | None = None
    rows_with_images: int | None = None


@cache
def limits(use: str) -> Limits:
    """The limits of the service with the name of an export."""
    told = tomllib.loads(files("flywheel").joinpath("exports_limits.toml").read_text("utf-8"))
    return Limits(as_of=told["as_of"], **told.get(use, {}))


def file_faults(use: str, name: str, rows: int, size: int) -> list[str]:
    """Sentences about why the service does not take a file of so many rows and bytes."""
    known = limits(use)
    return [
        f"{name} has {found:,} {what}; {use} takes {most:,} (as of {known.as_of}). Lower `examples` of the set."
        for what, found, most in (("rows", rows, known.rows_max), ("bytes", size, known.bytes_max))
        if most is not None and found > most
    ]


def file_remarks(use: str, name: str, rows: int) -> list[str]:
    """Sentences about a training file that is valid and yet smaller than the service starts on, or advises."""
    known = limits(use)
    said = []
    if known.rows_min is not None and rows < known.rows_min:
        said = [
            f"{name} has {rows:,} lines; services that take the format {use} start no training on fewer than {known.rows_min}."
        ]
    elif known.rows_advised is not None and rows < known.rows_advised:
        said = [f"{name} has {rows:,} lines; {use} advises at least {known.rows_advised}."]
    if known.closes is not None:
        said.append(
            f"{use} itself starts no training from {known.closes} on (as of {known.as_of}); other services take {name}, too."
        )
    return said


def too_long(use: str, line: bytes) -> bool:
    """Whether a line has more tokens than the service trains on."""
    most = limits(use).tokens_max
    if most is None or len(line) <= most:  # no token is shorter than a byte
        return False
    from flywheel.signals.tokens import count

    return count(line.decode()) > most
