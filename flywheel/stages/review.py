"""The review queue: the rows a person should look at, why, and in which order.

Three things bring a row here: a redaction that holds rows back instead of deciding alone (a reason that begins with `held_`),
people who contradict each other on a reply (thumbs both up and down, which no policy settled), and the batches of the recipe's
[[review]] tables. A row leaves when an expert has said anything of it, and what the batches ask next takes
its place. Nothing else is remembered: the queue is a function of the datasets it is made from.
"""

from collections.abc import Sequence
from functools import partial

import polars as pl

from flywheel.choices.active import Batch
from flywheel.choices.mix import task
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.quality.tally import MEASURES
from flywheel.records import conform
from flywheel.storage.snapshots import Snapshot

REVIEW = pl.Schema(
    {
        "id": pl.String(),  # of the conversation
        "queue": pl.String(),  # held | conflict | active
        "name": pl.String(),  # what brought it here: the reason it is held for, or the batch of the recipe
        "why": pl.String(),  # a sentence
        "score": pl.Float64(),  # by which a batch chose it; null where nothing was measured
        "priority": pl.Int64(),  # 1 is looked at first
        "day": pl.Date(),  # of the conversation
    }
)

HELD = "held_"
"""How the reason of a row begins that waits for a person."""
SKETCHES = "near_duplicate"


def review(
    screened: Snapshot,
    curated: Snapshot,
    labels: Snapshot,
    feedback: Snapshot,
    batches: Sequence[Batch],
    seed: int,
    measurements: Snapshot | None = None,
) -> Dataset:
    """The dataset "review": `rows` (REVIEW), one for each row and each thing that brought it here, in one part "all".

    Held rows come first, oldest first, for without an answer they are in no set; then the batches in turns. `notes`: how many
    wait and how many were answered, by queue; and of each batch how many it asks for and how many there are.
    """
    steps = (*(b.step() for b in batches), Step(use="seed", parameters={"seed": seed}))
    inputs = [screened, curated, labels, feedback, *([measurements] if measurements is not None else [])]
    done = answered(labels, feedback)
    open_rows, gone = _split(held(screened), done)
    unsettled, settled = _split(contradicted(labels, curated), done)
    asked = {b.name: picked(b, curated, labels, measurements, done, seed) for b in batches}
    rows = ordered(open_rows, unsettled, asked)
    return Dataset(
        name="review",
        schemas={"rows": REVIEW},
        parts=[Part("all", cause("review", steps, *[s.version for s in inputs]), partial(_tables, rows))],
        derivation=Derivation(
            operation="review",
            inputs=tuple(s.ref for s in inputs),
            steps=steps,
            watermark=labels.derivation.watermark,
        ),
        notes={
            "waiting": {
                "held": open_rows["id"].n_unique(),
                "conflict": unsettled.height,
                "active": sum(b.height for b in asked.values()),
            },
            "answered": {"held": gone["id"].n_unique(), "conflict": settled.height},
            "batches": [{"name": b.name, "size": b.size, "rows": asked[b.name].height} for b in batches],
        },
    )


def _tables(rows: pl.DataFrame) -> Tables:
    return {"rows": rows}


def waiting(queue: Snapshot, name: str | None = None) -> pl.DataFrame:
    """REVIEW of the rows that wait, of one queue or of all, by priority."""
    return queue.scan().filter(True if name is None else pl.col("queue") == name).sort("priority").collect()


def answered(labels: Snapshot, feedback: Snapshot) -> pl.DataFrame:
    """`id` of the conversations of which an expert has said anything, whatever became of it."""
    experts = feedback.scan().filter(pl.col("actor_kind") == "expert").select("feedback_id")
    said = labels.scan("ledger").filter(pl.col("id").is_not_null()).select("feedback_id", "id")
    return said.join(experts, on="feedback_id", how="semi").select("id").unique().sort("id").collect()


def held(screened: Snapshot) -> pl.DataFrame:
    """`id`, `name`, `day`: a row for each reason that a conversation is held back for."""
    days = []
    for part in screened.parts:
        if not part.tables["rejected"].rows:
            continue
        reasons = part.scan("rejected").select("id", name="reasons").explode("name")
        waits = reasons.filter(pl.col("name").str.starts_with(HELD)).collect()
        days.append(waits.with_columns(day=pl.lit(part.name).str.to_date(strict=False)))
    return pl.concat(days) if days else pl.DataFrame(schema={"id": pl.String, "name": pl.String, "day": pl.Date})


def contradicted(labels: Snapshot, curated: Snapshot) -> pl.DataFrame:
    """`id`, `name`, `day` of the rows of the pool whose thumbs contradict each other, so that they count neither as liked nor as not."""
    open_ = labels.scan().filter(pl.col("contradicted").fill_null(False) & pl.col("thumb").is_null()).select("id")
    rows = curated.scan().select("id", "day", name=pl.lit("contradicted")).join(open_, on="id", how="semi")
    return rows.select("id", "name", "day").sort("id").collect()


def _split(rows: pl.DataFrame, done: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Those that wait, and those that are answered."""
    return rows.join(done, on="id", how="anti"), rows.join(done, on="id", how="semi")


def picked(
    batch: Batch, curated: Snapshot, labels: Snapshot, measurements: Snapshot | None, done: pl.DataFrame, seed: int
) -> pl.DataFrame:
    """What a batch asks of the pool (active.PICKED), with the `day` of each row. Reads slim columns only."""
    pool, said = curated.scan(), labels.scan()
    asked = dict.fromkeys((*batch.columns(), *batch.by))
    beside = [c for c in asked if c not in pool.collect_schema() and c in said.collect_schema()]
    rows = pool.join(said.select("id", *beside), on="id", how="left").join(done.lazy(), on="id", how="anti")
    columns = [task().alias(c) if c == "task" else pl.col(c) for c in asked if c not in ("id", "day")]
    values = rows.select("id", "day", *columns).collect()
    if batch.sketched() and measurements is not None:
        keys = measurements.scan(SKETCHES).select("id", "keys").filter(pl.col("id").is_in(values["id"].implode()))
        values = values.join(keys.collect(), on="id", how="left")
    return batch.pick(values, seed).join(values.select("id", "day"), on="id", how="left", maintain_order="left")


def ordered(kept_back: pl.DataFrame, unsettled: pl.DataFrame, asked: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """REVIEW: held rows first, oldest first; then those people contradict each other on; then the batches in turns, in the order
    of the recipe."""
    told = pl.col("name").str.strip_prefix(HELD).str.replace_all("_", " ")
    first = kept_back.select(
        "id",
        "name",
        "day",
        queue=pl.lit("held"),
        why=pl.format("held back for {}: keep it, redact it or drop it", told),
    ).sort("day", "id", "name", nulls_last=True)
    second = unsettled.with_columns(
        queue=pl.lit("conflict"), why=pl.lit("thumbs both up and down: say which is right")
    ).sort("day", "id", nulls_last=True)
    batches = [
        rows.with_columns(queue=pl.lit("active"), name=pl.lit(name), turn=pl.lit(n))
        for n, (name, rows) in enumerate(asked.items())
    ]
    later = [pl.concat(batches).sort("place", "turn")] if batches else []
    every = pl.concat([conform(f, REVIEW) for f in (first, second, *later)])
    return every.with_columns(priority=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


def measured(queue: Snapshot, screened: Snapshot, curated: Snapshot, done: pl.DataFrame) -> pl.DataFrame:
    """Of the queue, as `measures.MEASURES`: `held_rows_lost` (rows held back that are neither in it nor in `done`, the ids
    answered), `batch_gap` (per batch, rows it lacks although the pool has them), `waiting_rows`, `rows_by_name`."""
    waits = held(screened).select("id").unique()
    queued = queue.scan().select("id", "queue", "name").collect()
    lost = waits.join(queued.filter(pl.col("queue") == "held"), on="id", how="anti").join(done, on="id", how="anti")
    there = dict(queued.filter(pl.col("queue") == "active").group_by("name").len().iter_rows())
    pool = curated.scan().select("id").join(done.lazy(), on="id", how="anti").select(pl.len()).collect().item()
    gaps = [(b["name"], min(b["size"], pool) - there.get(b["name"], 0)) for b in queue.notes["batches"]]
    names = queued.group_by("name").len().sort("name").rows()
    rows = [
        ("held_rows_lost", "", lost.height, waits.height),
        ("batch_gap", "", max((gap for _, gap in gaps), default=0), len(gaps)),
        *[("batch_gap", name, gap, len(gaps)) for name, gap in gaps],
        ("waiting_rows", "", queued["id"].n_unique(), queued.height),
        *[("rows_by_name", name, n, queued.height) for name, n in names],
    ]
    return pl.DataFrame([(m, s, float(v), n) for m, s, v, n in rows], schema=MEASURES, orient="row")
