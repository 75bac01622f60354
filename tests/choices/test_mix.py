"""Shares in whole numbers, cells, and which examples fill them."""

import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.choices.mix import REFERENCE_MIXES, allocate, crossed, feasible, largest_remainder, stable_order


@pytest.mark.parametrize(
    ("mix", "n", "expected"),
    [
        ("llama3_sft", 1_000, [527, 212, 149, 30, 81, 1]),
        ("llama3_sft", 10_000, [5266, 2119, 1489, 301, 814, 11]),
        ("llama3_preference", 1_000, [820, 59, 69, 52]),
    ],
)
def test_row_34_reference_mixes_in_whole_rows(mix, n, expected):
    assert list(largest_remainder(n, REFERENCE_MIXES[mix]).values()) == expected


@pytest.mark.parametrize("mix", REFERENCE_MIXES)
def test_reference_mixes_add_up_to_one(mix):
    assert sum(REFERENCE_MIXES[mix].values()) == pytest.approx(1.0, abs=1e-12)


def test_a_tie_goes_to_the_smaller_key():
    assert largest_remainder(1, {"b": 0.5, "a": 0.5}) == {"b": 0, "a": 1}


SHARES = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 999), min_size=1, max_size=6).map(
    lambda d: {k: v / sum(d.values()) for k, v in d.items()}
)


@given(st.integers(0, 10_000), SHARES)
def test_counts_add_up_and_stay_within_one_of_their_share(n, shares):
    counts = largest_remainder(n, shares)
    assert sum(counts.values()) == n
    assert all(abs(counts[k] - n * shares[k]) < 1 + 1e-6 for k in shares)


@given(SHARES, st.data())
def test_feasible_is_the_largest_size_that_can_be_filled(shares, data):
    have = {k: data.draw(st.integers(0, 30)) for k in shares}

    def fits(n):
        return all(count <= have[k] for k, count in largest_remainder(n, shares).items())

    n = feasible(have, shares)
    assert fits(n)
    assert not any(fits(m) for m in range(n + 1, sum(have.values()) + 1))


def table(**cells):
    """`id` and `task`: so many rows of each value."""
    return pl.DataFrame(
        [(f"{v}{i:03}", v) for v, n in cells.items() for i in range(n)], schema=["id", "task"], orient="row"
    )


MIX = {"task": {"billing": 0.4, "technical": 0.4, "smalltalk": 0.2}}


def test_a_short_cell_is_reported_and_weakens_no_other():
    made = allocate(table(billing=100, technical=30, smalltalk=100), MIX, 100, seed=1)
    assert dict(made.chosen["cell"].value_counts().iter_rows()) == {
        "task=billing": 40,
        "task=technical": 30,
        "task=smalltalk": 20,
    }
    assert made.shortfall == {"task=technical": 10}
    assert made.cells.row(by_predicate=pl.col("cell") == "task=technical") == ("task=technical", 40, 30, 30)


def test_without_a_size_the_set_is_as_large_as_the_scarcest_cell_allows():
    made = allocate(table(billing=100, technical=30, smalltalk=100), MIX, None, seed=1)
    assert made.chosen.height == 76  # 30 / 0.4 = 75, and 76 still gives technical 30
    assert made.shortfall == {}


def test_every_example_not_chosen_has_its_reason():
    examples = pl.concat(
        [
            table(billing=6, technical=6, smalltalk=6, gossip=2),
            pl.DataFrame({"id": ["x"], "task": [None]}, schema={"id": pl.String, "task": pl.String}),
        ]
    )
    made = allocate(examples, MIX, 10, seed=1)
    left = dict(made.left_out.with_columns(pl.col("reasons").list.first())["reasons"].value_counts().iter_rows())
    assert left == {"not_in_mix": 3, "beyond_the_mix": 8}
    assert sorted([*made.chosen["id"], *made.left_out["id"]]) == sorted(examples["id"])


def test_without_a_mix_only_the_size_counts():
    made = allocate(table(billing=5), {}, 3, seed=1)
    assert made.chosen["cell"].to_list() == ["", "", ""]
    assert made.left_out["reasons"].to_list() == [["beyond_the_size"]] * 2
    assert allocate(table(billing=5), {}, None, seed=1).chosen.height == 5


def test_several_axes_are_crossed():
    shares = crossed({"task": {"a": 0.5, "b": 0.5}, "language": {"en": 0.7, "ko": 0.3}})
    assert shares == {
        "language=en, task=a": 0.35, "language=en, task=b": 0.35, "language=ko, task=a": 0.15, "language=ko, task=b": 0.15,
    }  # fmt: skip
    rows = pl.DataFrame({"id": ["1", "2", "3"], "task": ["a", "b", "a"], "language": ["en", "ko", "fr"]})
    made = allocate(rows, {"task": {"a": 0.5, "b": 0.5}, "language": {"en": 0.7, "ko": 0.3}}, 2, seed=0)
    assert set(made.chosen["id"]) <= {"1", "2"}
    assert made.left_out.filter(pl.col("id") == "3")["reasons"].to_list() == [["not_in_mix"]]


def test_the_choice_does_not_depend_on_the_order_of_rows_but_on_the_seed():
    rows = table(billing=50, technical=50, smalltalk=50)
    one = allocate(rows, MIX, 20, seed=1).chosen
    assert one.equals(allocate(rows.sample(fraction=1.0, shuffle=True, seed=9), MIX, 20, seed=1).chosen)
    assert not one.equals(allocate(rows, MIX, 20, seed=2).chosen)


def test_more_rows_only_replace_they_do_not_reshuffle():
    """Growing the pool keeps every earlier choice that is not beaten by a newcomer."""
    small, large = table(billing=50), table(billing=60)
    before, after = (set(allocate(t, {}, 20, seed=1).chosen["id"]) for t in (small, large))
    newcomers = after - set(small["id"])
    assert len(before - after) == len(newcomers)


def dated(days, each, first=0):
    """`id` and `of_day`: so many rows of each of so many days."""
    rows = [(f"{d}:{i}", f"day{d:02}") for d in range(first, first + days) for i in range(each)]
    return pl.DataFrame(rows, schema=["id", "of_day"], orient="row")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [100, 1_000, 3_000])
def test_law_one_more_day_takes_from_few_days(size, seed):
    """Of a hundred days, a new one takes the places of rows of some sixteen at most; all others keep exactly their rows."""
    before, after = (allocate(dated(days, 80), {}, size, seed).chosen["id"] for days in (100, 101))
    assert len(before) == len(after) == size
    gone = set(before) - set(after)
    assert {i.split(":")[0] for i in set(after) - set(before)} <= {"100"}
    assert len({i.split(":")[0] for i in gone}) <= 20


def test_a_day_gives_at_most_an_eighth_more_than_another():
    """But for chance: of 2,000 rows each, drawn by a hash."""
    made = allocate(dated(20, 2_000), {}, 10_000, seed=3).chosen
    counts = made.with_columns(pl.col("id").str.split(":").list.first())["id"].value_counts()["count"]
    assert counts.max() / counts.min() < 1.125 * 1.25
    assert len(counts) == 20


def test_every_day_is_as_likely_to_give_more():
    """Over seeds each day is drawn from as often as any other: the days have no order but a hash."""
    days = [allocate(dated(10, 20), {}, 60, seed).chosen["id"] for seed in range(200)]
    counts = pl.concat(days).str.split(":").list.first().value_counts()["count"]
    assert counts.max() / counts.min() < 1.15


def test_the_order_is_the_same_in_another_process():
    code = "import polars as pl; from flywheel.choices.mix import stable_order; print(stable_order(pl.Series(['a','b']), 's').to_list())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert out == str(stable_order(pl.Series(["a", "b"]), "s").to_list())
