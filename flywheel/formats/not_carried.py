"""What a format does not carry of a set: the examples it refuses, and what it loses of others. Beside an example it is told in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class NotCarried:
    """What one format does not carry of some examples, by their ids: why it refused one, and what it lost of one."""

    refused: dict[str, str] = field(default_factory=dict)
    lost: dict[str, Sequence[str]] = field(default_factory=dict)


def told_of(every: Mapping[str, NotCarried]) -> pl.DataFrame:
    """`id`, `refused` and `lost`: of each example that a format refused, or lost something of, the format and the reason, "FORMAT: WHY"."""
    refused = [(i, f"{use}: {why}") for use, of in every.items() for i, why in of.refused.items()]
    lost = [(i, f"{use}: {what}") for use, of in every.items() for i, whats in of.lost.items() for what in whats]
    frames = [
        pl.DataFrame(rows, schema={"id": pl.String, name: pl.String}, orient="row")
        .group_by("id", maintain_order=True)
        .agg(name)
        for name, rows in (("refused", refused), ("lost", lost))
    ]
    return frames[0].join(frames[1], on="id", how="full", coalesce=True)


def read_from(rows: pl.DataFrame, use: str) -> NotCarried:
    """What `told_of` told of one format: the same again, from `id`, `refused` and `lost`."""
    head = f"{use}: "
    no, gone = (
        rows.select("id", said=name).drop_nulls().explode("said").filter(pl.col("said").str.starts_with(head))
        for name in ("refused", "lost")
    )
    lost: dict[str, Sequence[str]] = {}
    for id, what in gone.iter_rows():
        lost[id] = [*lost.get(id, ()), what.removeprefix(head)]
    return NotCarried({id: why.removeprefix(head) for id, why in no.iter_rows()}, lost)
