"""What a dataset is made of: parts, each named by the hash of its cause, under a derivation that says how.

A stage does not compute. It returns a `Dataset`: a list of parts with, for each, a key (a hash of everything that decides
its content) and a function that makes it. The store makes only the parts it does not have; so one more day of logs costs
that day, and a rerun that changes nothing costs nothing. `account` is the law of rows, run whenever a dataset is published.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from pydantic import BaseModel

from flywheel.errors import UnaccountedRows
from flywheel.records import canonical, short_hash

ENGINE = "3"
"""Version of the engine's own meaning: raised when a stage computes something else from the same inputs."""

Tables = Mapping[str, pl.DataFrame | pl.LazyFrame]
"""The tables of a part by name; one that is lazy is larger than memory, and written as it is read."""


class Step(BaseModel, frozen=True):
    """One operator or setting that took part: its name, version and every parameter."""

    use: str
    version: int = 1
    parameters: dict[str, Any] = {}


class SnapshotRef(BaseModel, frozen=True):
    """A dataset and the digest of its content."""

    name: str
    version: str


class Derivation(BaseModel, frozen=True):
    """The cause of a snapshot. `key` hashes it; the snapshot's version is the effect."""

    operation: str
    inputs: tuple[SnapshotRef, ...] = ()
    steps: tuple[Step, ...] = ()
    watermark: datetime | None = None
    """Feedback received up to here was known."""
    engine: str = ENGINE

    @property
    def key(self) -> str:
        """Hash of the whole derivation, 32 hex digits."""
        return short_hash(canonical(self.model_dump(mode="json")))


def cause(*parts: object) -> str:
    """Key of a part: a hash of everything that decides its content, and of the engine's version."""
    return short_hash(ENGINE, *[p if isinstance(p, str | bytes) else canonical(_plain(p)) for p in parts])


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a dataset, usually a UTC day. `make` returns its tables and is called only if `key` is new."""

    name: str
    key: str
    make: Callable[[], Tables]
    of: str = ""
    """Hash of what every row of it depends on alike, where a later version may take rows over; it is no part of the content."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A stage's answer: the parts to be stored, how they came about, and the ids that must be accounted for.

    `schemas` names every table and its columns ("rows" always, "rejected" where rows can be left out). `accounts_for` is a
    frame of `id`: each must be in `rows` or in `rejected`, and each other id in `rows` must have parents among them.
    """

    name: str
    schemas: Mapping[str, pl.Schema]
    parts: Sequence[Part]
    derivation: Derivation
    accounts_for: pl.LazyFrame | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Small facts for people (counts, policies); part of the manifest, not of the version."""


def account(name: str, expected: pl.LazyFrame, rows: pl.LazyFrame, rejected: pl.LazyFrame | None) -> None:
    """The law of rows: every id expected is kept or rejected with reasons, none is both, and new ids have parents.

    Raises `UnaccountedRows` with the counts and up to three ids.
    """
    want = expected.select("id").unique()
    has_parents = "parents" in rows.collect_schema()
    kept = (
        rows.select("id", "parents")
        if has_parents
        else rows.select("id", parents=pl.lit(None, dtype=pl.List(pl.String)))
    )
    no = (
        rejected.select("id", "reasons").filter(pl.col("reasons").list.len() > 0)
        if rejected is not None
        else pl.LazyFrame(schema={"id": pl.String, "reasons": pl.List(pl.String)})
    )
    used = pl.concat([kept.select("id"), kept.select(id=pl.col("parents")).explode("id").drop_nulls(), no.select("id")])
    lost, both, orphans, n_in, n_kept, n_no = pl.collect_all(
        [
            want.join(used, on="id", how="anti"),
            kept.select("id").join(no, on="id", how="semi"),
            kept.join(want, on="id", how="anti").filter(pl.col("parents").list.len().fill_null(0) == 0),
            want.select(pl.len()),
            kept.select(pl.len()),
            no.select(pl.len()),
        ]
    )
    for bad, what in (
        (lost, "left without a reason"),
        (both, "both kept and rejected"),
        (orphans, "new without parents"),
    ):
        if bad.height:
            raise UnaccountedRows(
                f"{name}: {n_in.item():,} rows in, {n_kept.item():,} kept and {n_no.item():,} rejected; {bad.height:,} {what}, "
                f"such as {', '.join(bad['id'].head(3).to_list())}. This is a fault of the stage, not of the data: nothing was published."
            )
