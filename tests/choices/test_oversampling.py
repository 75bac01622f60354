"""Copies of rows in short cells: capped, counted, named, in training alone."""

import polars as pl

from flywheel.choices.mix import Allocation, allocate
from flywheel.choices.oversampling import copies_in, oversampled

MIX = {"class": {"common": 0.95, "rare": 0.05}}


def drawn(validation: int = 0) -> tuple[pl.DataFrame, Allocation]:
    """1,000 rows wanted, of which 50 rare, of 990 common and 10 rare ones; the first rare ones are in validation."""
    rows = pl.DataFrame(
        [(f"c{i:03}", "common") for i in range(990)] + [(f"r{i}", "rare") for i in range(10)],
        schema=["id", "class"],
        orient="row",
    )
    made = allocate(rows, MIX, 1_000, seed=1)
    held_out = [f"r{i}" for i in range(validation)]
    side = pl.when(pl.col("id").is_in(held_out)).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return made.chosen.with_columns(split=side, parents=pl.concat_list("id")), made


def test_row_41_nothing_is_repeated_unless_asked() -> None:
    chosen, made = drawn()
    after, same = oversampled(chosen, made, 1, seed=1)
    assert same.shortfall == {"class=rare": 40}
    assert after.equals(chosen)
    assert copies_in(after).is_empty()


def test_row_41_copies_are_capped_counted_and_traceable() -> None:
    chosen, made = drawn()
    after, then = oversampled(chosen, made, 3, seed=1)
    copies = copies_in(after)
    assert then.shortfall == {"class=rare": 20}
    assert copies.height == 20
    assert after.height == chosen.height + 20
    assert copies["id"].to_list() == [f"{of}~{n}" for of, n in copies.select("copy_of", "copy").iter_rows()]
    assert set(copies["copy_of"]) == {f"r{i}" for i in range(10)}
    told = after.join(copies, on="id", how="semi")
    assert told.select((pl.col("parents").list.first() == pl.col("copy_of")).all()).item()
    assert after["id"].n_unique() == after.height


def test_copies_are_spread_evenly_and_stop_where_the_cell_is_full() -> None:
    chosen, made = drawn()
    after, then = oversampled(chosen, made, 9, seed=1)
    times = copies_in(after).group_by("copy_of").len()["len"]
    assert then.shortfall == {}
    assert (times.min(), times.max()) == (4, 4)
    some = oversampled(chosen.filter(pl.col("id") != "r0"), made, 9, seed=1)[0]
    assert set(copies_in(some).group_by("copy_of").len()["len"]) <= {4, 5}


def test_rows_in_validation_are_not_copied() -> None:
    after, then = oversampled(*drawn(validation=4), 3, seed=1)
    assert set(copies_in(after)["copy_of"]) == {f"r{i}" for i in range(4, 10)}
    assert then.shortfall == {"class=rare": 28}


def test_the_order_of_rows_does_not_matter_but_the_seed_does() -> None:
    chosen, made = drawn()
    one = copies_in(oversampled(chosen.filter(pl.col("id") != "r0"), made, 9, seed=1)[0])
    turned = chosen.filter(pl.col("id") != "r0").reverse()
    assert copies_in(oversampled(turned, made, 9, seed=1)[0]).sort("id").equals(one.sort("id"))
    assert not copies_in(oversampled(turned, made, 9, seed=2)[0]).sort("id").equals(one.sort("id"))
