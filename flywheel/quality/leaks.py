"""How much of each benchmark a set gives away, word for word and in other words."""

from typing import Final

import polars as pl

from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.benchmark_similarity import BenchmarkSimilarity
from flywheel.storage.snapshots import Snapshot

COLUMNS: Final = {
    BenchmarkOverlap: ("benchmark_hit", "benchmark_share"),
    BenchmarkSimilarity: ("benchmark_nearest", "benchmark_margin"),
}
"""Signal -> its columns of the item and of how much of it there is."""


def worst(
    candidate: Snapshot, curated: Snapshot, signal: BenchmarkOverlap | BenchmarkSimilarity | None
) -> dict[str, float] | None:
    """Benchmark -> the largest measure of any of its items in an example; None where nothing is, or can be, looked for.

    The conversations behind the examples were measured; what a person wrote in place of a reply was not, and is now.
    """
    if signal is None or not signal.files or signal.absent():
        return None
    item, measure = COLUMNS[type(signal)]
    parents = candidate.scan().select(id="parents").explode("id").unique()
    logged = curated.scan().join(parents, on="id", how="semi").select(item, measure)
    by_person = candidate.scan().filter(pl.col("origin") == "demonstrated").select("id", messages="completion")
    written = signal.measure(by_person.collect().lazy()).select(item, measure)
    found = pl.concat([logged, written]).drop_nulls(item)
    file = pl.col(item).str.split("#").list.first()
    told = found.group_by(file=file).agg(worst=pl.col(measure).max()).sort("file").collect()
    return dict(told.iter_rows())
