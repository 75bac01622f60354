"""The acquisition plan of a set: which rows would close its gaps, how many, and in which way they are best come by."""

from collections.abc import Iterator, Mapping

import polars as pl

from flywheel.choices.mix import stable_order
from flywheel.coverage.shortfall import Shortfall, told

SEEDS = 5
"""Rows named to imitate."""
OTHERS = "other than "
"""How the value begins of which the set has too much: any other is wanted."""
ACQUISITION = pl.Schema(
    {
        "set": pl.String(),
        "axis": pl.String(),
        "value": pl.String(),
        "why": pl.String(),  # target | usage
        "way": pl.String(),  # annotate | synthesise | collect | perturb.typo
        "rows": pl.Int64(),  # to be had in this way; where both replacing and adding would do, those to be added
        "replacing": pl.Int64(),  # of the whole gap
        "adding": pl.Int64(),
        "within_noise": pl.Boolean(),
        "seeds": pl.List(pl.String),  # ids of conversations to imitate, to annotate or to perturb
        "task": pl.String(),  # a sentence
    }
)


def acquisition(
    set_name: str, matrix: pl.DataFrame, values: pl.LazyFrame, used: pl.Series, pool: pl.Series, seed: int
) -> pl.DataFrame:
    """ACQUISITION: a line for each way of closing each gap of the matrix. A gap that a target and the usage both see is closed once:
    by the one that needs more rows.

    `values`: `id` and the value of each axis, of every conversation; `used`: ids of those in the set; `pool`: of those that may be.
    """
    gaps = matrix.filter(pl.col("replacing") > 0).with_columns(size=pl.col("adding").fill_null(pl.col("replacing")))
    once = gaps.sort(["size", "why"], descending=[True, False]).unique(
        ["axis", "value"], keep="first", maintain_order=True
    )
    lines: list[dict[str, object]] = []
    for gap in once.sort("axis", "value").iter_rows(named=True):
        rows = _rows_of(gap, values)
        lines += _ways(gap, rows, used, pool, seed)
    plan = pl.DataFrame([{"set": set_name} | line for line in lines], schema=ACQUISITION, orient="row")
    return plan.sort("axis", "value", "way")


def _rows_of(gap: Mapping[str, object], values: pl.LazyFrame) -> pl.Series:
    """Ids of the conversations with the value of a gap."""
    parts = list(zip(str(gap["axis"]).split(", "), _split(gap), strict=True))
    here = pl.all_horizontal([pl.col(axis) == value for axis, value in parts])
    return values.filter(here).select("id").collect()["id"]


def _split(gap: Mapping[str, object]) -> list[str]:
    """The values of a cell; that of one axis may hold commas itself."""
    axes = str(gap["axis"]).split(", ")
    return str(gap["value"]).split(", ") if len(axes) > 1 else [str(gap["value"])]


def _ways(
    gap: Mapping[str, object], rows: pl.Series, used: pl.Series, pool: pl.Series, seed: int
) -> Iterator[dict[str, object]]:
    replacing, adding = int(str(gap["replacing"])), gap["adding"]
    short = Shortfall(replacing, None if adding is None else int(str(adding)))
    wanted = replacing if short.adding is None else short.adding
    what = f"{gap['axis']} = {gap['value']}"
    base = {k: gap[k] for k in ("axis", "value", "why", "replacing", "adding", "within_noise")}

    def line(way: str, count: int, seeds: pl.Series, task: str) -> dict[str, object]:
        return base | {"way": way, "rows": count, "seeds": _first(seeds, seed), "task": task}

    if float(str(gap["gap"])) > 0:
        task = f"{what} is beyond its share; {told(short)} of rows with another value."
        yield line("collect", wanted, rows.clear(), task) | {"value": f"{OTHERS}{gap['value']}"}
        return
    if (gap["axis"], gap["value"]) == ("typos", "some"):
        clean = used.filter(~used.is_in(rows.implode()))
        yield line(
            "perturb.typo",
            replacing,
            clean,
            f"Put typing mistakes into the questions of {replacing:,} rows of the set.",
        )
        return
    idle = rows.filter(rows.is_in(pool.implode()) & ~rows.is_in(used.implode()))
    if ready := min(len(idle), wanted):
        yield line(
            "annotate",
            ready,
            idle,
            f"{len(idle):,} rows of the pool have {what} and are no example yet: judge or correct {ready:,}.",
        )
    if rest := wanted - ready:
        if len(rows):
            yield line(
                "synthesise", rest, rows, f"Write {rest:,} new rows with {what}, after the seeds; none is repeated."
            )
        else:
            yield line(
                "collect", rest, rows, f"No conversation has {what}: bring {rest:,}, or seeds to write them after."
            )


def _first(ids: pl.Series, seed: int) -> list[str]:
    """A few ids, the same whatever the order they come in."""
    few = ids.unique()
    keyed = pl.DataFrame({"id": few, "order": stable_order(few, f"seeds:{seed}")})
    return keyed.sort("order", "id")["id"].head(SEEDS).to_list()
