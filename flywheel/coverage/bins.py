"""Ranges of numbers as values of an axis: "1", "2-4", "5+"."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

_RANGE = re.compile(r"(\d+(?:\.\d+)?)(?:\s*-\s*(\d+(?:\.\d+)?)|(\+))?")
ELSEWHERE = "(other)"
"""The value of a number in no range."""


class Bin(NamedTuple):
    """Numbers from `low` to `high`, both included; without `high`, from `low` on."""

    name: str
    low: float
    high: float | None


def read_bin(value: str) -> Bin | None:
    """The range that a value names, or None."""
    found = _RANGE.fullmatch(value.strip())
    if not found:
        return None
    low, high, on = found.groups()
    if high is not None and float(high) < float(low):
        return None
    return Bin(value, float(low), None if on else float(high if high is not None else low))


def bins_of(edges: Sequence[float]) -> tuple[Bin, ...]:
    """The ranges that begin at these whole numbers, named as a recipe would: [1, 2, 5] is "1", "2-4", "5+"."""
    ends: list[float | None] = [edge - 1 for edge in edges[1:]]
    named = []
    for low, high in zip(edges, [*ends, None], strict=True):
        name = f"{low:g}+" if high is None else f"{low:g}" if high == low else f"{low:g}-{high:g}"
        named.append(Bin(name, low, high))
    return tuple(named)


def binned(column: pl.Expr, ranges: Sequence[Bin]) -> pl.Expr:
    """The name of the range each number is in; null for null."""
    named = [
        pl.when((column >= b.low) if b.high is None else column.is_between(b.low, b.high)).then(pl.lit(b.name))
        for b in ranges
    ]
    return pl.when(column.is_not_null()).then(pl.coalesce(*named, pl.lit(ELSEWHERE)))
