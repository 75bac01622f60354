"""The waterfall sums up, in the order of the recipe."""

import datetime as dt

import polars as pl

from assets.metadata import shortened
from flywheel.home import Home
from flywheel.quality.waterfall import waterfall
from flywheel.recipe import parse_recipe
from flywheel.stages.curate import judge, screen
from flywheel.storage.snapshots import Snapshot
from tests.build import chat, rows
from tests.pools import labels_of, snapshot

RULES = """name = "r"
[[filter]]
use = "matches"
name = "date"
column = "day"
operator = "below"
value = 2026-03-02
[[filter]]
use = "matches"
name = "never"
column = "reply"
operator = "contains"
value = "nothing says this"
[[filter]]
use = "matches"
name = "source"
column = "source"
operator = "is"
value = "old"
[[filter]]
use = "matches"
name = "liked_less"
column = "model"
operator = "is"
value = "x"
of = "target"
"""


def screened(folder) -> Snapshot:
    """1,000 rows: 100 of before the date, 50 of another source, and 30 that are both."""
    store = Home.create(folder / "home", 'name = "r"').store
    days = [dt.datetime(2026, 3, 1 if n < 100 else 2, tzinfo=dt.UTC) for n in range(1000)]
    frame = rows(
        *[
            chat(
                "user: hi", "assistant: yes", id=f"s:{n:04}", occurred_at=day, source="old" if 70 <= n < 150 else "new"
            )
            for n, day in enumerate(days)
        ]
    )
    parts = [{"rows": part} for part in frame.partition_by("day", maintain_order=True)]
    conversations = snapshot(store, "conversations", *parts)
    nothing = snapshot(store, "measurements", *[{"rows": p["rows"].select("id", "day")} for p in parts])
    labels = snapshot(store, "labels", *[{"rows": labels_of()} for _ in parts])
    return store.publish(screen(conversations, nothing, labels, (), parse_recipe(RULES).filters, b"k" * 32))


def test_row_110_the_waterfall_sums(tmp_path):
    made = screened(tmp_path)
    steps = waterfall(made)
    assert [(s["step"], s["rows_in"], s["removed"], s["rows_out"], s["hit"], s["alone"]) for s in steps] == [
        ("date", 1000, 100, 900, 100, 70),
        ("never", 900, 0, 900, 0, 0),
        ("source", 900, 50, 850, 80, 50),
    ]
    assert steps[-1]["rows_out"] == made.count() == 850
    assert {s["stage"] for s in steps} == {"screened"}


def test_a_table_that_is_cut_short_still_sums():
    steps = [
        {"stage": "s", "step": f"f{n}", "rows_in": 100 - n, "removed": 1, "rows_out": 99 - n, "hit": 2, "alone": 1}
        for n in range(30)
    ]
    told = shortened(steps)
    assert len(told) == 12
    assert told[-1] == {
        "stage": "s",
        "step": "19 more",
        "rows_in": 89,
        "removed": 19,
        "rows_out": 70,
        "hit": 38,
        "alone": 19,
    }
    assert told[0]["rows_in"] - sum(s["removed"] for s in told) == told[-1]["rows_out"]
    assert shortened(steps[:5]) == steps[:5]


def test_the_first_reason_is_that_of_the_first_filter():
    row = chat("user: hi", "assistant: yes", occurred_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC), source="old")
    told = judge(row.lazy(), parse_recipe(RULES).filters).collect()
    assert told["reasons"].to_list() == [["date", "source"]]
    assert told.select(pl.col("undesired").list.len()).item() == 0
