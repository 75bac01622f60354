"""Curricula: the examples of several sets in ordered stages, and what each stage is.

The examples stay what they are in their sets; a stage takes all of them or draws a phase. A row of one stage's training that
belongs together with a row of another's validation is left out: stages follow each other in one model.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from flywheel.choices.curriculum import PARTS, Curriculum, CurriculumStage, Least
from flywheel.choices.follow import total_variation
from flywheel.choices.mix import CELLS, allocate, axis
from flywheel.choices.split import KEYS
from flywheel.kinds import SetKind
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.quality.measures import SYNTHETIC
from flywheel.quality.tally import MEASURES
from flywheel.records import conform, short_hash
from flywheel.sets import EXAMPLES, REJECTED_EXAMPLES
from flywheel.storage.snapshots import Snapshot, StoredPart

RANKS = {"corpus": 0, "preference": 2, "kto": 2, "reward": 2, "reward_pairs": 2}
"""Self-supervised, then instructions (1, every other kind), then preferences."""
SAME = 0.05
"""Shares nearer than this say nothing about an order."""


def curriculum(
    wanted: Curriculum, kinds: Mapping[str, SetKind], sets: Mapping[str, Snapshot], curated: Snapshot, seed: int
) -> Dataset:
    """The dataset of a curriculum: `rows` (EXAMPLES) and `rejected` (REJECTED_EXAMPLES), a part for each stage and day.

    `notes`: `stages`, what each is (see `told`), and `cells`, how many rows each wanted and got.
    """
    chosen, left, cells = _drawn(wanted, {n: _rows(s, wanted, curated) for n, s in sets.items()}, seed)
    chosen, leaking = _without_leaks(wanted, kinds, chosen, curated)
    left = {n: pl.concat([left[n], leaking[n]]) for n in left}
    parts = [
        part
        for n, stage in enumerate(wanted.stage)
        for part in _parts_of(n + 1, sets[stage.set], chosen[n]["id"], left[n])
    ]
    counts = [
        {"cell": f"stage_{n + 1}, {s.set}", "wanted": int(cells[n]["wanted"].sum()), "available": int(cells[n]["available"].sum()), "made": chosen[n].height}
        for n, s in enumerate(wanted.stage)
    ]  # fmt: skip
    sides = pl.concat(chosen)["split"]
    return Dataset(
        name=wanted.name,
        schemas={"rows": EXAMPLES, "rejected": REJECTED_EXAMPLES},
        parts=parts,
        derivation=Derivation(
            operation="curriculum",
            inputs=tuple(s.ref for s in (*sets.values(), curated)),
            steps=(wanted.step(), Step(use="seed", parameters={"seed": seed})),
        ),
        notes={
            "kind": "curriculum",
            "stages": told(wanted, kinds, chosen),
            "cells": counts,
            "train": int((sides == "train").sum()),
            "validation": int((sides == "validation").sum()),
        },
    )


def _rows(candidate: Snapshot, wanted: Curriculum, curated: Snapshot) -> pl.DataFrame:
    """`id`, `split`, `origin`, `parents` of the examples, and of the first conversation behind each the axes and the score."""
    columns = [axis(a) for a in wanted.axes]
    score = [pl.col(wanted.score).cast(pl.Float64).alias("related")] if wanted.score else []
    values = curated.scan().select(pl.col("id").alias("first"), *columns, *score).collect()
    rows = candidate.scan().select("id", "split", "origin", "parents", first=pl.col("parents").list.first())
    return rows.collect().join(values, on="first", how="left").drop("first")


Tabled = dict[int, pl.DataFrame]
"""Stage, from 0, -> its table."""


def _drawn(
    wanted: Curriculum, rows: Mapping[str, pl.DataFrame], seed: int
) -> tuple[list[pl.DataFrame], Tabled, Tabled]:
    """The rows of each stage; `id` and `reasons` of those of its set that it leaves; and its cells. Later stages choose first."""
    free = dict(rows)
    chosen: Tabled = {}
    left: Tabled = {}
    cells: Tabled = {}
    for n, stage in reversed(list(enumerate(wanted.stage))):
        there = free[stage.set]
        later = rows[stage.set].join(there, on="id", how="anti").select("id", reasons=pl.lit(["in_a_later_stage"]))
        made = allocate(there.select("id", *stage.mix), stage.mix, stage.examples, seed)
        chosen[n] = there.join(made.chosen.select("id"), on="id", how="semi").sort("id")
        left[n] = pl.concat([later, made.left_out.select("id", "reasons")])
        cells[n] = made.cells.select(*CELLS)
        free[stage.set] = there.join(chosen[n], on="id", how="anti")
    return [chosen[n] for n in range(len(wanted.stage))], left, cells


def _keys(rows: pl.DataFrame, by: Sequence[str], curated: Snapshot) -> pl.DataFrame:
    """`id` and `key`: what ties each row to others."""
    columns = [c for name in by for c in KEYS[name] if c in curated.schemas["rows"]]
    parents = rows.select("id", parent="parents").explode("parent")
    tied = parents.join(
        curated.scan().select(pl.col("id").alias("parent"), *columns).collect(), on="parent", how="left"
    )
    return pl.concat(
        [tied.select("id", key=pl.format(f"{c}={{}}", pl.col(c))) for c in ("parent", *columns)]
    ).drop_nulls()


def _without_leaks(
    wanted: Curriculum, kinds: Mapping[str, SetKind], chosen: list[pl.DataFrame], curated: Snapshot
) -> tuple[list[pl.DataFrame], Tabled]:
    """The rows of each stage without those of its training that are tied to validation of any; and these, with the reason."""
    tied = [_keys(rows, kinds[s.set].split.by, curated) for s, rows in zip(wanted.stage, chosen, strict=True)]
    held_out = pl.concat(
        keys.join(rows.filter(pl.col("split") == "validation"), on="id", how="semi").select("key")
        for keys, rows in zip(tied, chosen, strict=True)
    ).unique()
    kept, gone = [], {}
    for n, (keys, rows) in enumerate(zip(tied, chosen, strict=True)):
        bad = rows.filter(pl.col("split") == "train").join(
            keys.join(held_out, on="key", how="semi"), on="id", how="semi"
        )
        kept.append(rows.join(bad, on="id", how="anti").sort("id"))
        gone[n] = bad.select("id", reasons=pl.lit(["in_validation_of_another_stage"]))
    return kept, gone


def _parts_of(number: int, candidate: Snapshot, ids: pl.Series, left: pl.DataFrame) -> list[Part]:
    """A part for each day of a stage's set."""
    parts = []
    for day in candidate.parts:
        there = day.scan().select("id").collect()["id"]
        mine, no = ids.filter(ids.is_in(there.implode())), left.filter(pl.col("id").is_in(there.implode())).sort("id")
        key = cause("curriculum", number, day.version, short_hash(*mine.to_list()), no.write_ndjson())
        parts.append(Part(f"{PARTS}{number}.{day.name}", key, partial(_stage_part, day, mine, no)))
    return parts


def _stage_part(day: StoredPart, ids: pl.Series, left: pl.DataFrame) -> Tables:
    rows = day.scan().collect()
    parents = rows.select("id", "parents")
    return {
        "rows": rows.filter(pl.col("id").is_in(ids.implode())),
        "rejected": conform(left.join(parents, on="id", how="left"), REJECTED_EXAMPLES),
    }


def parts_of_stage(snapshot: Snapshot, number: int) -> tuple[StoredPart, ...]:
    """The parts of one stage, from 1."""
    return tuple(p for p in snapshot.parts if p.name.startswith(f"{PARTS}{number}."))


# --- what each stage is


def told(wanted: Curriculum, kinds: Mapping[str, SetKind], chosen: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
    """Of each stage: set, kind, rows, train, validation, the share written by synthesis, how related it is (from 0 to 1 by the
    target, the mean by a score), and the shares of the axes it is drawn or judged by."""
    return [
        _told(n + 1, stage, wanted, kinds[stage.set], rows)
        for n, (stage, rows) in enumerate(zip(wanted.stage, chosen, strict=True))
    ]


def _told(number: int, stage: CurriculumStage, wanted: Curriculum, kind: SetKind, rows: pl.DataFrame) -> dict[str, Any]:
    n = rows.height
    mix = {a: _shares(rows, a) for a in dict.fromkeys([*stage.axes, *wanted.target])}
    near = [1.0 - total_variation(mix[a], shares) for a, shares in wanted.target.items()]
    related = {"target": sum(near) / len(near)} if near else {}
    if wanted.score:
        related["score"] = float(rows["related"].mean() or 0.0)  # type: ignore[arg-type]
    return {
        "stage": f"stage_{number}",
        "set": stage.set,
        "kind": kind.use,
        "rows": n,
        "train": int((rows["split"] == "train").sum()),
        "validation": int((rows["split"] == "validation").sum()),
        "synthetic": float(rows["origin"].is_in(SYNTHETIC).sum()) / n if n else 0.0,
        "related": {k: round(v, 6) for k, v in related.items()},
        "mix": mix,
        "least": [_held(least, mix) for least in stage.least],
    }


def _held(least: Least, mix: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    actual = sum(mix[least.axis].get(v, 0.0) for v in least.values)
    return {"axis": least.axis, "values": list(least.values), "share": least.share, "actual": actual}


def _shares(rows: pl.DataFrame, name: str) -> dict[str, float]:
    counts = rows[name].drop_nulls().value_counts().sort(name)
    return {str(v): c / rows.height for v, c in counts.iter_rows()}


# --- checks


def measured(
    wanted: Curriculum, kinds: Mapping[str, SetKind], made: Snapshot, sets: Mapping[str, Snapshot], curated: Snapshot
) -> pl.DataFrame:
    """MEASURES of a curriculum, all of it counted anew from its rows: see the targets of curricula."""
    every = {n: _rows(s, wanted, curated) for n, s in sets.items()}
    ids = [_ids(made, n + 1) for n in range(len(wanted.stage))]
    rows = [every[s.set].join(i, on="id", how="semi") for s, i in zip(wanted.stage, ids, strict=True)]
    stages, total = told(wanted, kinds, rows), sum(r.height for r in rows)
    steps = len(stages) - 1
    found: list[tuple[str, str, float, int]] = [
        ("unaccounted_rows", "", _unaccounted(wanted, made, every), total),
        ("untold_steps", "", 0.0, steps),
        ("kinds_out_of_order", "", 0.0, len(stages)),
        ("relatedness_gap", "", 0.0, len(stages)),
        ("synthetic_excess", "", 0.0, len(stages)),
        ("phase_gap", "", 0.0, total),
        ("leaking_rows", "", float(_leaking(wanted, kinds, rows, curated)), total),
    ]
    last = stages[-1]
    for earlier in stages[:-1]:
        name = f"{earlier['stage']} {earlier['set']} against {last['stage']} {last['set']}"
        excess = max(0.0, last["synthetic"] - earlier["synthetic"])
        found.append(("synthetic_excess", name, excess, len(stages)))
        for how, value in earlier["related"].items():
            found.append(("relatedness_gap", f"{name}, by {how}", max(0.0, value - last["related"][how]), len(stages)))
    for one, two, stage in zip(stages, stages[1:], wanted.stage[1:], strict=False):
        name = f"{one['stage']} {one['set']} to {two['stage']} {two['set']}"
        found.append(("kinds_out_of_order", name, float(_rank(one) > _rank(two)), len(stages)))
        found.append(("untold_steps", name, float(not _says_an_order(one, two, stage)), steps))
    for n, one in enumerate(stages):
        for least in one["least"]:
            name = f"{one['stage']}: {' + '.join(least['values'])} of {least['axis']}"
            found.append(("phase_gap", name, max(0.0, least["share"] - least["actual"]), one["rows"]))
        aim = made.notes["cells"][n]["wanted"]
        aim = max(aim, wanted.stage[n].examples or 0)
        gone = _gone(made, n + 1)
        found.append(("stage_gap", one["stage"], float(max(0, aim - one["rows"] - gone)), aim))
        found.append(("stage_rows", f"{one['stage']} {one['set']}", float(one["rows"]), total))
    frame = pl.DataFrame([(m, s, float(v), int(k)) for m, s, v, k in found], schema=MEASURES, orient="row")
    return frame.with_columns(pl.col("value").round(10)).sort("metric", "segment")


def _rank(stage: Mapping[str, Any]) -> int:
    return RANKS.get(stage["kind"], 1)


def _says_an_order(one: Mapping[str, Any], two: Mapping[str, Any], stage: CurriculumStage) -> bool:
    """Whether two stages differ in anything that says which comes first; a phase with a mix of its own says so itself."""
    phase = one["set"] == two["set"] and bool(stage.mix or stage.least)
    nearer = any(abs(one["related"][k] - two["related"][k]) > 1e-9 for k in two["related"])
    return phase or nearer or _rank(one) != _rank(two) or abs(one["synthetic"] - two["synthetic"]) > SAME


def _ids(made: Snapshot, number: int, table: str = "rows") -> pl.DataFrame:
    parts = [p.scan(table).select("id").collect() for p in parts_of_stage(made, number)]
    return pl.concat([pl.DataFrame(schema={"id": pl.String}), *parts])


def _gone(made: Snapshot, number: int) -> int:
    """Rows that a stage drew and gave up again because another stage validates on them."""
    reason = pl.col("reasons").list.contains("in_validation_of_another_stage")
    return sum(p.scan("rejected").select(reason.sum()).collect().item() or 0 for p in parts_of_stage(made, number))


def _unaccounted(wanted: Curriculum, made: Snapshot, every: Mapping[str, pl.DataFrame]) -> float:
    """Rows of a stage's set that are neither in the stage nor left out of it with a reason, or both."""
    lost = 0
    for n, stage in enumerate(wanted.stage):
        kept, no = _ids(made, n + 1), _ids(made, n + 1, "rejected")
        both = kept.join(no, on="id", how="semi").height
        lost += both + every[stage.set].join(pl.concat([kept, no]), on="id", how="anti").height
    return float(lost)


def _leaking(wanted: Curriculum, kinds: Mapping[str, SetKind], rows: Sequence[pl.DataFrame], curated: Snapshot) -> int:
    """Rows in training of one stage that are tied to validation of any."""
    _, gone = _without_leaks(wanted, kinds, list(rows), curated)
    return sum(g.height for g in gone.values())
