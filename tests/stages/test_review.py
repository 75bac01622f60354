"""The review queue: who is in it, in which order, and who has left."""

import datetime as dt

import polars as pl
import pytest

from flywheel.choices.active import Diversity, Uncertainty
from flywheel.labels import LEDGER
from flywheel.records import FEEDBACK, REJECTED, conform
from flywheel.stages.review import REVIEW, answered, measured, review, waiting
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparisons_of, label, labels_of, pool_of, screened_of, snapshot

DAYS = ("2026-03-03", "2026-03-02")


def rejected(**reasons):
    return conform(
        pl.DataFrame(
            {"id": list(reasons), "reasons": list(reasons.values())}, schema_overrides={"reasons": pl.List(pl.String)}
        ),
        REJECTED,
    )


def queue(tmp_path, batches=(), held=None, experts=(), others=(), near=None, said_of=()):
    """The published queue of a pool of five, `held` rows by day, and the answers of experts and of others."""
    store = Store(tmp_path / "snapshots")
    pool = screened_of(*[chat("user: q", f"assistant: {i}", id=f"r{i}", latency_ms=i / 10) for i in range(5)])
    days = [{"rows": pool, "rejected": rejected(**(held or {}))}]
    screened = snapshot(store, "screened", *days)
    curated = snapshot(store, "curated", {"rows": pool_of(pool), "rejected": pl.DataFrame(schema=REJECTED)})
    said = [*[(i, "expert") for i in experts], *[(i, "end_user") for i in others]]
    events = pl.DataFrame(
        {"feedback_id": [f"f{n}" for n in range(len(said))], "actor_kind": [k for _, k in said]},
        schema={"feedback_id": pl.String, "actor_kind": pl.String},
    )
    ledger = events.with_columns(id=pl.Series([i for i, _ in said], dtype=pl.String), status=pl.lit("applied"))
    labels = snapshot(
        store,
        "labels",
        {"rows": labels_of(*said_of), "comparisons": comparisons_of(), "ledger": conform(ledger, LEDGER)},
    )
    feedback = snapshot(store, "feedback", {"rows": conform(events, FEEDBACK)})
    sketch = pl.DataFrame(
        {"id": pool["id"], "keys": [[i // 4] for i in range(5)]}, schema_overrides={"keys": pl.List(pl.UInt64)}
    )
    measured = snapshot(store, "measurements", {"rows": pool.select("id"), "near_duplicate": sketch}) if near else None
    made = store.publish(review(screened, curated, labels, feedback, batches, 1, measured))
    return made, screened, curated, answered(labels, feedback)


DOUBT = Uncertainty(name="unsure", score="latency_ms", threshold=0.2, size=2)
HELD = {"h1": ["held_email", "refusal"], "h2": ["held_email", "held_phone"], "x": ["too_short"]}


def test_row_154_held_rows_come_first_and_then_the_batch(tmp_path):
    made, *_ = queue(tmp_path, [DOUBT], HELD)
    rows = waiting(made)
    assert rows.schema == REVIEW
    assert rows.select("priority", "queue", "name", "id").rows() == [
        (1, "held", "held_email", "h1"),
        (2, "held", "held_email", "h2"),
        (3, "held", "held_phone", "h2"),
        (4, "active", "unsure", "r2"),
        (5, "active", "unsure", rows["id"][4]),
    ]
    assert rows["id"][4] in ("r1", "r3")
    assert rows["why"][0] == "held back for email: keep it, redact it or drop it"
    assert waiting(made, "active").height == 2


def test_a_row_leaves_when_an_expert_has_answered_and_the_next_takes_its_place(tmp_path):
    made, *_ = queue(tmp_path, [DOUBT], HELD, experts=["h1", "r2"], others=["h2"])
    rows = waiting(made)
    assert "h1" not in rows["id"]
    assert "r2" not in rows["id"]
    assert rows.filter(pl.col("queue") == "active").height == 2
    assert made.notes == {
        "waiting": {"held": 1, "conflict": 0, "active": 2},
        "answered": {"held": 1, "conflict": 0},
        "batches": [{"name": "unsure", "size": 2, "rows": 2}],
    }


def test_without_anything_to_look_at_it_is_empty(tmp_path):
    made, *_ = queue(tmp_path)
    assert (made.count(), made.schemas["rows"]) == (0, REVIEW)


def test_batches_take_turns_and_differ_by_their_words(tmp_path):
    made, *_ = queue(tmp_path, [Diversity(name="varied", size=2), DOUBT], near=True)
    rows = waiting(made)
    assert rows["name"].to_list() == ["varied", "unsure"] * 2
    assert "r4" in rows.filter(pl.col("name") == "varied")["id"]  # the only one of its bucket


def test_the_day_of_a_held_row_is_that_of_its_part(tmp_path):
    from flywheel.lineage import Dataset, Derivation, Part
    from flywheel.stages.review import held

    tables = {
        d: {"rows": screened_of(chat("user: q", "assistant: a", id=d)), "rejected": rejected(**{f"h{d}": ["held_x"]})}
        for d in DAYS
    }
    schemas = {t: f.schema for t, f in tables[DAYS[0]].items()}
    parts = [Part(d, d.replace("-", "") * 4, lambda d=d: tables[d]) for d in DAYS]
    made = Store(tmp_path).publish(Dataset("screened", schemas, parts, Derivation(operation="test")))
    assert dict(held(made).select("id", "day").iter_rows()) == {f"h{d}": dt.date.fromisoformat(d) for d in DAYS}


@pytest.mark.parametrize(
    ("batches", "experts", "lost", "gap"),
    [
        ([DOUBT], [], 0, 0),
        ([DOUBT], ["h1"], 0, 0),
        ([Uncertainty(name="none", score="prompt_tokens", size=3)], [], 0, 3),
    ],
)
def test_the_measures_of_the_queue(tmp_path, batches, experts, lost, gap):
    made, screened, curated, done = queue(tmp_path, batches, HELD, experts)
    told = measured(made, screened, curated, done)
    whole = dict(told.filter(pl.col("segment") == "").select("metric", "value").iter_rows())
    assert (whole["held_rows_lost"], whole["batch_gap"]) == (lost, gap)


def test_a_held_row_that_is_forgotten_is_counted(tmp_path):
    made, _, curated, done = queue(tmp_path, [DOUBT], HELD)
    _, screened, *_ = queue(tmp_path / "other", [DOUBT], HELD | {"h9": ["held_iban"]})
    told = measured(made, screened, curated, done)
    assert told.filter(metric="held_rows_lost", segment="")["value"].item() == 1


def test_row_6_a_reply_with_both_thumbs_waits_in_the_conflict_queue_until_an_expert_speaks(tmp_path):
    both = label("r3", contradicted=True), label("r1", contradicted=True, thumb=1), label("gone", contradicted=True)
    made, *_ = queue(tmp_path, [DOUBT], HELD, said_of=both)
    rows = waiting(made, "conflict")
    assert rows.select("id", "name", "priority").rows() == [("r3", "contradicted", 4)]  # a policy settled the other
    assert made.notes["waiting"]["conflict"] == 1
    done, *_ = queue(tmp_path / "later", [DOUBT], HELD, experts=["r3"], said_of=both)
    assert waiting(done, "conflict").is_empty()
    assert done.notes["answered"]["conflict"] == 1
