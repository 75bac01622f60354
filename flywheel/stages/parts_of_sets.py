"""A set, once decided, as parts: one for each day of the pool, which depends on its own examples, their text and its own rows alone.

A part lists every row of its day. Those nothing was considered of are read from the pool when the part is made, so that deciding
carries only rows that have something said of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from flywheel.choices.oversampling import copies_in
from flywheel.choices.selection import SELECTION
from flywheel.choices.split import KEYS, grouped_pool
from flywheel.kinds import Redaction, SetKind
from flywheel.lineage import Part, Step, Tables, cause
from flywheel.records import conform, short_hash
from flywheel.sets import REJECTED_EXAMPLES
from flywheel.stages.forming import parts_of, texts_of, written
from flywheel.stages.unchanged import MADE_OF, left_in, unchanged
from flywheel.storage.snapshots import Snapshot, StoredPart

if TYPE_CHECKING:
    from flywheel.stages.assemble import Plan

STRINGS = pl.List(pl.String)
MENTIONED = pl.Schema({"id": pl.String(), "reasons": STRINGS})
"""A row that examples of other days are made of, or, with reasons, that such were refused that would have been."""
SOURCES = ("prompt_of", "completion_of", "rejected_of")
"""The columns of sets.PICKED that name the conversations whose text an example holds."""


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a day of a set before it is written."""

    chosen: pl.DataFrame
    rejected: pl.DataFrame
    elsewhere: pl.DataFrame
    """MENTIONED: rows of this day that examples of other days speak of."""
    selected: pl.DataFrame | None
    """SELECTION, where the set has one."""
    pool: StoredPart | None
    """The day's rows of the pool."""
    ids: str
    """Digest of the ids of these: nothing else of them is read here."""
    texts: Sequence[StoredPart]
    """The days of conversations in which the text of its examples stands."""
    was: StoredPart | None
    """The day as an earlier version of the set holds it."""


def grouped(curated: Snapshot, by: Sequence[str]) -> pl.DataFrame:
    """`id`, `group` of each row of the pool, by what must stay on one side of the split: the same for every set of a recipe."""
    return _pool(tuple((p.name, p.tables["rows"].path) for p in curated.parts), tuple(by)).select("id", "group")


@lru_cache(maxsize=1)
def _pool(days: Sequence[tuple[str, Path]], by: Sequence[str]) -> pl.DataFrame:
    """`id`, `group` and `part`, its number, of each row of the pool."""
    parts = [
        pl.scan_parquet(path, glob=False).with_columns(part=pl.lit(n, dtype=pl.Int32))
        for n, (_, path) in enumerate(days)
    ]
    pool = pl.concat(parts)
    keys = [c for name in by for c in KEYS[name] if c in pool.collect_schema()]
    rows = pool.select("id", "day", "part", *keys).collect()
    return grouped_pool(rows, by).join(rows.select("id", "part"), on="id", how="left", maintain_order="left")


def silent(wanted: SetKind, rows: int, chosen: pl.DataFrame, rejected: pl.DataFrame) -> dict[str, int]:
    """Reason -> how many of the `rows` of the pool are listed with it though no example of their own was refused: those parts of
    refused ones, and those that nothing was considered of."""
    (mine, made_of), (refused, parts) = (_apart(frame) for frame in (chosen, rejected))
    if made_of.is_empty() and parts.is_empty():
        return {wanted.absent: rows - len(mine) - len(refused)}
    used = pl.concat([mine, made_of["parents"].explode()])
    gone = pl.concat([refused, parts["id"]])
    said = parts.select(id="parents", reasons="reasons").explode("id")
    listed = said.filter(~pl.col("id").is_in(used.implode()) & ~pl.col("id").is_in(gone.implode()))
    why = listed.explode("reasons").unique().group_by("reasons").len().sort("reasons")
    told = {str(reason): int(n) for reason, n in why.iter_rows()}
    covered = pl.concat([used, refused, said["id"]]).n_unique()
    return told | {wanted.absent: told.get(wanted.absent, 0) + rows - covered}


def _apart(rows: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """The ids of examples that are one conversation, and the examples that are not."""
    one = (pl.col("parents").list.len() == 1) & (pl.col("parents").list.first() == pl.col("id"))
    plain = rows.select(one.fill_null(False)).to_series()
    return rows["id"].filter(plain), rows.filter(~plain)


def day_parts(
    wanted: SetKind,
    plan: "Plan",
    curated: Snapshot,
    screened: Snapshot,
    steps: Sequence[Step],
    redactions: Sequence[Redaction],
    before: Snapshot | None = None,
) -> list[Part]:
    """A part for each day: the examples whose first parent is of that day, and what was left out of that day. `before`: an earlier
    version of the set; what it holds is not formed again."""
    searched = [r.step() for r in redactions]
    parts = []
    for name, day in _days(wanted, plan, curated, screened, before).items():
        frames = (day.chosen, day.rejected, day.elsewhere, *([] if day.selected is None else [day.selected]))
        told = [f.write_ndjson() for f in frames]
        of = cause("texts", steps, searched, [p.version for p in day.texts])
        key = cause("assemble", of, day.ids, *told)
        parts.append(Part(name, key, partial(_write_day, wanted, day, redactions, of), of))
    return parts


def _days(
    wanted: SetKind, plan: "Plan", curated: Snapshot, screened: Snapshot, before: Snapshot | None
) -> dict[str, Day]:
    names = [p.name for p in curated.parts]
    pool = _pool(tuple((p.name, p.tables["rows"].path) for p in curated.parts), wanted.split.by).select("id", "part")
    chosen, rejected = (_dated(rows, pool) for rows in (plan.chosen, plan.rejected))
    selected = None if plan.selected is None else _dated(plan.selected.rows.join(plan.parents, on="id"), pool)
    said = {} if selected is None else _by_part(selected)
    mine, no, elsewhere = _by_part(chosen), _by_part(rejected), _by_part(_elsewhere(chosen, rejected, pool))
    texts, stored = _texts_of(chosen, pool), {p.name: p for p in screened.parts}
    ids = {n: short_hash(of.sort("id").write_csv()) for n, of in _by_part(pool).items()}
    was = {p.name: p for p in before.parts} if before is not None else {}
    told = {}
    for n in sorted({*mine, *no, *said, *(at for at, p in enumerate(curated.parts) if p.tables["rows"].rows)}):
        name = names[n] if n >= 0 else "none"
        told[name] = Day(
            mine.get(n, plan.chosen.clear()),
            no.get(n, plan.rejected.clear()),
            elsewhere.get(n, MENTIONED.to_frame()),
            None if plan.selected is None else conform(said.get(n, plan.selected.rows.clear()), SELECTION),
            curated.parts[n] if n >= 0 else None,
            ids.get(n, ""),
            [stored[names[at]] for at in texts.get(n, ()) if names[at] in stored],
            was.get(name),
        )
    return told


def _dated(rows: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """The rows with `part`, the number of the day of their first parent; -1 where it has none."""
    first = pool.select("part", first="id")
    dated = rows.with_columns(first=pl.col("parents").list.first())
    return (
        dated.join(first, on="first", how="left", maintain_order="left")
        .drop("first")
        .with_columns(pl.col("part").fill_null(-1))
    )


def _by_part(rows: pl.DataFrame) -> dict[int, pl.DataFrame]:
    return {int(n): of for (n,), of in rows.partition_by("part", as_dict=True, include_key=False).items()}


def _elsewhere(chosen: pl.DataFrame, rejected: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """MENTIONED with `part`, for the parents of examples but the first."""
    none = pl.lit(None, dtype=STRINGS)
    both = [chosen.select("parents", reasons=none), rejected.select("parents", "reasons")]
    several = pl.concat([f.filter(pl.col("parents").list.len() > 1) for f in both])
    further = several.select("reasons", id=pl.col("parents").list.slice(1)).explode("id")
    return (
        further.join(pool, on="id")
        .select("part", "id", "reasons")
        .unique()
        .sort("id", pl.col("reasons").list.join(" "))
    )


def _texts_of(chosen: pl.DataFrame, pool: pl.DataFrame) -> Mapping[int, Sequence[int]]:
    """The days in which the text of the examples of each day stands."""
    far = chosen.select("part", *SOURCES, first=pl.col("parents").list.first())
    told = pl.concat([far.select("part", "first", id=c) for c in SOURCES]).drop_nulls("id")
    known = told.filter(pl.col("id") == pl.col("first")).select("part", at="part")
    others = told.filter((pl.col("id") != pl.col("first")).fill_null(True)).select("part", "id").unique()
    found = others.join(pool.rename({"part": "at"}), on="id").select("part", "at")
    days = pl.concat([known, found]).unique().sort("part", "at")
    return {int(n): of["at"].to_list() for (n,), of in days.partition_by("part", as_dict=True).items()}


def _write_day(wanted: SetKind, day: Day, redactions: Sequence[Redaction], of: str) -> Tables:
    known = unchanged(day.chosen, of, day.was, redactions)
    fresh = day.chosen.join(known.rows.select("id"), on="id", how="anti", maintain_order="left")
    rows = written(wanted, fresh, texts_of(day.texts, _needed(fresh), parts_of(wanted)))
    left = left_in(rows, known, redactions)
    every = {"rows": pl.concat([rows, known.rows]).sort("id"), "rejected": _every_row(wanted, day)}
    more = {"copies": copies_in(day.chosen)} | ({} if day.selected is None else {"selection": day.selected})
    return every | {"residue": left, "made_of": conform(day.chosen, MADE_OF)} | more


def _needed(chosen: pl.DataFrame) -> pl.Series:
    """Ids of the conversations whose text is in the set."""
    return pl.concat([chosen[c] for c in SOURCES]).drop_nulls().unique()


def _every_row(wanted: SetKind, day: Day) -> pl.DataFrame:
    """The rejected examples of a day, and a line for each row of it that is in no example: with the reasons of those it was
    considered for, or with the set kind's own reason where there was none."""
    pool = day.pool.scan().select("id").collect() if day.pool else pl.DataFrame(schema={"id": pl.String})
    refused, used = pl.col("reasons").is_not_null(), day.elsewhere.filter(pl.col("reasons").is_null())
    mine = pl.concat([day.chosen.select(id="parents").explode("id"), used.select("id"), day.rejected.select("id")])
    considered = (
        pl.concat([day.rejected.select(id="parents", reasons="reasons").explode("id"), day.elsewhere.filter(refused)])
        .explode("reasons")
        .group_by("id")
        .agg(pl.col("reasons").unique().sort())
    )
    lines = pool.join(mine, on="id", how="anti").join(considered, on="id", how="left")
    silent = lines.select(
        "id",
        parents=pl.concat_list("id"),
        reasons=pl.coalesce("reasons", pl.lit([wanted.absent], dtype=STRINGS)),
    )
    every = pl.concat([day.rejected, conform(silent, REJECTED_EXAMPLES)])
    return every.sort("id", pl.col("reasons").list.join(" "))
