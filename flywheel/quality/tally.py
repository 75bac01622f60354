"""The tidy table that measures are told in, and its rows."""

from collections.abc import Mapping

import polars as pl

MEASURES = pl.Schema(
    {
        "metric": pl.String,
        "segment": pl.String,  # "" for the whole; else a reason, a cell such as "language=ko", a file, …
        "value": pl.Float64,
        "n": pl.Int64,  # the count the value was taken over
    }
)

Row = dict[str, str | float | int]


def one(metric: str, value: float, n: int, segment: str = "") -> list[Row]:
    """The row of one value, of the whole unless a segment is named."""
    return [{"metric": metric, "segment": segment, "value": float(value), "n": int(n)}]


def each(metric: str, whole: float, values: Mapping[str, float], n: int) -> list[Row]:
    """The row of the whole, and one for each segment."""
    return [*one(metric, whole, n), *per(metric, values, n)]


def per(metric: str, values: Mapping[str, float], n: int) -> list[Row]:
    """A row for each segment."""
    return [row for segment, value in values.items() for row in one(metric, value, n, segment)]
