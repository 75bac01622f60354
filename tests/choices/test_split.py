"""Train and validation never share a conversation, a user or a duplicate cluster."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.choices.split import components, grouped_pool, groups, split
from flywheel.kinds import Split

COLUMNS = ("conversation_id", "user", "near_group", "exact_group")


def pool(*rows):
    """Rows of (id, conversation, user, near group)."""
    return pl.DataFrame(
        [(*r, r[0]) for r in rows], schema=dict.fromkeys(["id", *COLUMNS], pl.String), orient="row"
    ).with_columns(day=dt.date(2026, 1, 1))


def own(frame):
    """One example for each row of a pool."""
    return frame.select("id", parents=pl.concat_list("id"))


ROWS = pool(
    ("a", "c1", "u1", "a"),
    ("b", "c1", "u2", "b"),
    ("c", "c2", "u2", "c"),
    ("d", "c3", "u3", "a"),
    ("e", "c4", "u4", "e"),
)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (("conversation",), ["a", "a", "c", "d", "e"]),
        (("user",), ["a", "b", "b", "d", "e"]),
        (("duplicates",), ["a", "b", "c", "a", "e"]),
        (("conversation", "user"), ["a", "a", "a", "d", "e"]),
        (("conversation", "user", "duplicates"), ["a", "a", "a", "a", "e"]),
        ((), ["a", "b", "c", "d", "e"]),
    ],
)
def test_groups_are_connected_components_named_by_their_first_row(by, expected):
    assert groups(own(ROWS), grouped_pool(ROWS, by))["group"].to_list() == expected


def test_an_unknown_user_joins_nobody():
    rows = pool(("a", "c1", None, None), ("b", "c2", None, None))
    assert groups(own(rows), grouped_pool(rows, ("conversation", "user", "duplicates")))["group"].to_list() == [
        "a",
        "b",
    ]


def test_row_148_two_ids_of_one_person_are_one_group():
    rows = pool(("a", "c1", "u1", "a"), ("b", "c2", "u2", "b"), ("c", "c3", "u3", "c"))
    known = rows.with_columns(person=pl.Series(["u1", "u1", "u3"]))
    assert groups(own(rows), grouped_pool(rows, ("user",)))["group"].to_list() == ["a", "b", "c"]
    assert groups(own(known), grouped_pool(known, ("user",)))["group"].to_list() == ["a", "a", "c"]
    assert groups(own(known), grouped_pool(known, ("conversation",)))["group"].to_list() == ["a", "b", "c"]


def test_values_of_different_columns_do_not_meet():
    rows = pool(("a", "same", "u1", "a"), ("b", "c2", "same", "b"))
    assert groups(own(rows), grouped_pool(rows, ("conversation", "user")))["group"].to_list() == ["a", "b"]


def test_an_example_of_two_conversations_joins_the_groups_of_both():
    pairs = pl.DataFrame({"id": ["p1", "p2"], "parents": [["a", "e"], ["b"]]})
    assert groups(pairs, grouped_pool(ROWS, ("conversation",)))["group"].to_list() == ["a", "a"]


def test_two_examples_of_one_conversation_stay_together_whatever_by_says():
    pairs = pl.DataFrame({"id": ["p1", "p2"], "parents": [["a"], ["a"]]})
    assert groups(pairs, grouped_pool(ROWS, ()))["group"].to_list() == ["a", "a"]


def test_a_long_chain_is_one_group():
    n = 2_000
    import numpy as np

    order = np.random.default_rng(0).permutation(n)
    assert (components(n, order[:-1], order[1:]) == 0).all()


def test_row_146_a_duplicate_cluster_never_straddles():
    """100 rows in clusters of two: whatever the seed, both copies are on one side."""
    rows = pool(*[(f"r{i:03}", f"c{i}", f"u{i}", f"r{i - i % 2:03}") for i in range(100)])
    for seed in range(10):
        out = split(own(rows), grouped_pool(rows, Split().by), Split(validation=0.2), seed).join(rows, on="id")
        assert out.group_by("near_group").agg(pl.col("split").n_unique())["split"].max() == 1
        assert out.filter(pl.col("split") == "validation").height == 20


def test_a_giant_component_stays_in_train():
    rows = pool(*[(f"r{i:03}", "one" if i < 80 else f"c{i}", f"u{i}", f"r{i:03}") for i in range(100)])
    out = split(own(rows), grouped_pool(rows, Split().by), Split(validation=0.1), seed=3)
    assert set(out.filter(pl.col("group") == "r000")["split"]) == {"train"}
    assert out.filter(pl.col("split") == "validation").height == 10


def test_law_one_more_day_renames_no_group_and_hardly_ever_moves_one_to_the_other_side():
    """Twelve thousand rows of users who come again and again, and one more day of them."""

    def logs(days):
        calls = [(d, i) for d in range(days) for i in range(200)]
        rows = [(f"{(d * 7919 + i * 104729) % 999983:06}-{d}", f"c{d}-{i}", f"u{(d + 1) * i % 1500}") for d, i in calls]
        dates = [dt.date(2026, 1, 1) + dt.timedelta(d) for d, _ in calls]
        return pool(*[(*r, r[0]) for r in rows]).with_columns(day=pl.Series(dates))

    moved = []
    for seed in range(8):
        old, new = (
            split(own(rows), grouped_pool(rows, Split().by), Split(validation=0.1), seed)
            for rows in (logs(60), logs(61))
        )
        both = old.join(new, on="id", suffix="_new")
        assert both["group"].equals(both["group_new"], check_names=False)
        assert 1_220 * (1 - 1 / 12) <= (new["split"] == "validation").sum() <= 1_220
        moved.append((both["split"] != both["split_new"]).sum())
    assert moved.count(0) >= 6
    assert max(moved) <= 1_220 / 12


def test_without_validation_all_is_train():
    assert set(split(own(ROWS), grouped_pool(ROWS, Split().by), Split(validation=0.0), seed=1)["split"]) == {"train"}


def test_no_examples_no_rows():
    assert split(own(ROWS).clear(), grouped_pool(ROWS, Split().by), Split(), seed=1).height == 0


KEY = st.one_of(st.none(), st.integers(0, 12).map(str))


@given(st.lists(st.tuples(KEY, KEY, KEY), min_size=1, max_size=40), st.integers(0, 5), st.floats(0.0, 0.9))
def test_law_nothing_shared_straddles_and_validation_is_never_too_large(keys, seed, share):
    rows = pool(*[(f"r{i:02}", *k) for i, k in enumerate(keys)])
    out = split(own(rows), grouped_pool(rows, Split().by), Split(validation=share), seed)
    assert sorted(out["id"]) == sorted(rows["id"])
    sides = out.join(rows, on="id")
    for column in COLUMNS:
        counted = sides.drop_nulls(column).group_by(column).agg(pl.col("split").n_unique(), pl.col("group").n_unique())
        assert (counted["split"].max() or 1) == 1
        assert (counted["group"].max() or 1) == 1
    assert (out["split"] == "validation").sum() <= round(share * rows.height + 1e-9) + 1
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=1)
    assert out.equals(split(own(shuffled), grouped_pool(shuffled, Split().by), Split(validation=share), seed))
