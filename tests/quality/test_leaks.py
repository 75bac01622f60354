"""What a set gives away of a benchmark: through its rows, and through what people wrote."""

import json

import polars as pl
import pytest

from flywheel.quality.leaks import worst
from flywheel.records import message
from flywheel.sets import EXAMPLES
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.benchmark_similarity import BenchmarkSimilarity
from flywheel.storage.snapshots import Store
from tests.pools import snapshot

ITEM = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?"
OTHERWISE = "How many bolts does it take in total? A robe needs 2 bolts of blue fiber and half as much of white fiber."


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "bench.jsonl").write_text(json.dumps({"question": ITEM}))
    return tmp_path


def published(store, said, margin):
    """A set of one row, and the pool it is of."""
    said = [message({"role": "assistant", "content": said})]
    row = {"id": "x", "kind": "sft", "origin": "demonstrated", "parents": ["s:1"], "completion": said}
    candidate = pl.DataFrame([{c: row.get(c) for c in EXAMPLES}], schema=EXAMPLES)
    measured = {
        "benchmark_hit": None,
        "benchmark_share": 0.0,
        "benchmark_nearest": "bench#0",
        "benchmark_margin": margin,
    }
    pool = pl.DataFrame([{"id": "s:1", **measured}, {"id": "s:2", **measured, "benchmark_margin": 0.9}])
    pool = pool.with_columns(pl.col("benchmark_hit").cast(pl.String))
    return snapshot(store, "one", {"rows": candidate}), snapshot(store, "curated", {"rows": pool})


@pytest.mark.parametrize(
    ("said", "margin", "share", "at_least", "at_most"),
    [
        ("Nothing of the kind, as far as I know.", -0.4, 0.0, -0.4, -0.3),
        ("Nothing of the kind, as far as I know.", 0.1, 0.0, 0.1, 0.1),
        (OTHERWISE, -0.4, 0.3, 0.0, 0.28),
        (ITEM, -0.4, 1.0, 0.28, 0.28),
    ],
)
def test_row_119_rows_and_corrections_are_both_looked_at(bench, tmp_path, said, margin, share, at_least, at_most):
    candidate, curated = published(Store(tmp_path / "home"), said, margin)
    words = BenchmarkOverlap(files=("bench.jsonl",)).located(bench)
    meaning = BenchmarkSimilarity(files=("bench.jsonl",)).located(bench)
    assert (worst(candidate, curated, words) or {}).get("bench", 0.0) <= share
    told = worst(candidate, curated, meaning)
    assert told
    assert at_least <= round(told["bench"], 6) <= at_most


def test_what_is_not_or_cannot_be_looked_for_is_no_number(bench, tmp_path):
    candidate, curated = published(Store(tmp_path / "home"), ITEM, 0.0)
    assert worst(candidate, curated, None) is None
    assert worst(candidate, curated, BenchmarkOverlap()) is None
    gone = BenchmarkSimilarity(files=("bench.jsonl",), endpoint="http://127.0.0.1:9/v1", model="m", threshold=0.9)
    assert worst(candidate, curated, gone.located(bench)) is None
