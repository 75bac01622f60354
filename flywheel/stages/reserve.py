"""Reserved rows: what pilots hold, and what is kept for their evaluation and out of every other set."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from flywheel.choices.mix import axis
from flywheel.choices.pilot import LARGEST, SIZE, drawn
from flywheel.kinds import Edit, SetKind
from flywheel.labels import LABELS
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.quality.tally import MEASURES
from flywheel.records import canonical, short_hash
from flywheel.stages.assemble import Inputs, decide
from flywheel.stages.parts_of_sets import grouped
from flywheel.stages.review import answered
from flywheel.storage.snapshots import Snapshot

RESERVED = pl.Schema(
    {
        "set": pl.String(),  # the pilot
        "id": pl.String(),  # of the example
        "parents": pl.List(pl.String),
        "side": pl.String(),  # pilot | evaluation
        "stratum": pl.String(),  # "axis=value, …"; "" without axes
        "checked": pl.Boolean(),  # an expert has said something of a conversation behind it
    }
)
KEPT_OUT = pl.Schema({"id": pl.String(), "set": pl.String()})
"""A conversation that shares anything with an evaluation, and whose."""


def reserve(
    pilots: Sequence[SetKind],
    curated: Snapshot,
    screened: Snapshot,
    labels: Snapshot,
    feedback: Snapshot,
    seed: int,
    edits: Sequence[Edit],
    secret: bytes,
    frozen: Mapping[str, Mapping[str, Any]],
) -> Dataset:
    """The dataset "reserved": `rows` (RESERVED) and `kept_out` (KEPT_OUT), in one part. A pilot that is frozen keeps its rows.

    `notes`: of each pilot its size, strata there are and strata it holds, the rows an expert has looked at, and of a frozen one
    the rows that are gone.
    """
    steps = (
        *(p.step() for p in pilots),
        *(e.step() for e in edits),
        Step(use="seed", parameters={"seed": seed}),
        Step(use="pseudonym_key", parameters={"id": short_hash(secret)}),
        Step(use="frozen", parameters={n: short_hash(canonical(dict(f))) for n, f in sorted(frozen.items())}),
    )
    inputs = (curated, screened, labels, feedback)
    done = answered(labels, feedback)["id"]
    pool = Inputs(curated, screened, labels)
    made = [_reserved(p, pool, seed, edits, secret, frozen.get(p.name), done) for p in pilots]
    rows, kept = pl.concat([m[0] for m in made]), pl.concat([m[1] for m in made])
    return Dataset(
        name="reserved",
        schemas={"rows": RESERVED, "kept_out": KEPT_OUT},
        parts=[Part("all", cause("reserve", steps, *[s.version for s in inputs]), partial(_tables, rows, kept))],
        derivation=Derivation(operation="reserve", inputs=tuple(s.ref for s in inputs), steps=steps),
        notes={"pilots": {p.name: m[2] for p, m in zip(pilots, made, strict=True)}, "seed": seed},
    )


def _tables(rows: pl.DataFrame, kept: pl.DataFrame) -> Tables:
    return {"rows": rows, "kept_out": kept}


def _reserved(
    wanted: SetKind,
    inputs: Inputs,
    seed: int,
    edits: Sequence[Edit],
    secret: bytes,
    frozen: Mapping[str, Any] | None,
    done: pl.Series,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    """RESERVED and KEPT_OUT of one pilot, and what is told of it."""
    assert wanted.pilot is not None
    every = wanted.model_copy(update={"examples": None, "pilot": None})
    chosen = decide(every, inputs, seed, edits, secret).chosen.select("id", "parents", "group")
    curated = inputs.curated
    pool = grouped(curated, wanted.split.by)
    sizes = pool.group_by("group").agg(group_rows=pl.len())
    strata = _strata(chosen, wanted.pilot.by, curated, inputs.labels)
    rows = (
        chosen.join(strata, on="id").join(sizes, on="group", how="left").with_columns(pl.col("group_rows").fill_null(1))
    )
    size = wanted.examples or SIZE
    evaluation = wanted.pilot.evaluation or size
    if frozen is None:
        sides = drawn(rows, size, evaluation, max(1, int(curated.count() * LARGEST)), seed)
    else:
        told = [(i, side) for side in ("pilot", "evaluation") for i in frozen[side]]
        sides = pl.DataFrame(told, schema={"id": pl.String, "side": pl.String}, orient="row")
    there = rows.join(sides, on="id").sort("id")
    twin = there.filter(side="evaluation").select("group").unique()
    tied = pool.join(twin, on="group", how="semi").select("id")
    kept = pl.concat([tied, pl.DataFrame({"id": list(frozen["kept_out"]) if frozen else []}, schema={"id": pl.String})])
    checked = pl.col("parents").list.eval(pl.element().is_in(done.implode())).list.any()
    reserved = there.select("id", "parents", "side", "stratum", set=pl.lit(wanted.name), checked=checked)
    pilot = reserved.filter(side="pilot")
    facts = {
        "size": size,
        "evaluation": evaluation,
        "pilot_rows": pilot.height,
        "evaluation_rows": reserved.height - pilot.height,
        "strata": rows["stratum"].n_unique(),
        "strata_held": pilot["stratum"].n_unique(),
        "checked": int(pilot["checked"].sum()),
        "frozen": frozen is not None,
        "gone": sides.height - there.height,
    }
    return reserved.select(*RESERVED), kept.unique().sort("id").with_columns(set=pl.lit(wanted.name)), facts


def _strata(chosen: pl.DataFrame, by: Sequence[str], curated: Snapshot, labels: Snapshot) -> pl.DataFrame:
    """`id` and `stratum` of each example, by the first conversation behind it; a value that is not known is a stratum, too."""
    first = chosen.select("id", first=pl.col("parents").list.first())
    if not by:
        return first.select("id", stratum=pl.lit(""))
    pool = curated.scan()
    beside = [c for c in by if c in LABELS and c not in curated.schemas["rows"]]
    values = pool.join(labels.scan().select("id", *beside), on="id", how="left") if beside else pool
    told = pl.concat_str([pl.format(f"{a}={{}}", axis(a).fill_null("unknown")) for a in by], separator=", ")
    return first.join(values.select(first="id", stratum=told).collect(), on="first", how="left").select(
        "id", pl.col("stratum").fill_null("")
    )


def measured(made: Snapshot) -> pl.DataFrame:
    """MEASURES of the reserved rows: `missing_strata` (strata without a row in a pilot that had room for them), `pilot_gap`,
    `unchecked_rows` and `frozen_rows_gone`, per pilot."""
    found: list[tuple[str, str, float, int]] = []
    for name, f in sorted(made.notes["pilots"].items()):
        missing = min(f["strata"], f["size"]) - f["strata_held"]
        short = (f["size"] - f["pilot_rows"]) + (f["evaluation"] - f["evaluation_rows"])
        found += [
            ("missing_strata", name, max(0, missing), f["strata"]),
            ("pilot_gap", name, max(0, short), f["size"] + f["evaluation"]),
            ("unchecked_rows", name, f["pilot_rows"] - f["checked"], f["pilot_rows"]),
            ("frozen_rows_gone", name, f["gone"], f["size"] + f["evaluation"]),
        ]
    return pl.DataFrame([(m, s, float(v), n) for m, s, v, n in found], schema=MEASURES, orient="row")


def evaluation_kept_out(candidate: Snapshot, reserved: Snapshot | None) -> pl.DataFrame:
    """MEASURES of a candidate: `evaluation_rows`, its rows that are trained on although a pilot's evaluation keeps a conversation
    behind them; also of the pilot's own set."""
    bad = 0
    if reserved is not None:
        train = candidate.scan().filter(pl.col("split") == "train").select("id", parent="parents").explode("parent")
        kept = reserved.scan("kept_out").select(parent="id").unique()
        bad = int(train.join(kept, on="parent", how="semi").select(pl.col("id").n_unique()).collect().item())
    return pl.DataFrame([("evaluation_rows", "", float(bad), candidate.count())], schema=MEASURES, orient="row")
