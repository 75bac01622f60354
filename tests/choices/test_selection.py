"""Selection: what stays, by which score, with which weight; the same whatever the order of rows."""

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.choices.mix import stable_order
from flywheel.choices.selection import SELECTION, Diverse, Importance, Prune, Top, diversified, effective_size
from flywheel.recipe import RecipeInvalid, parse_recipe

SEED = 7


def scored(*scores):
    return pl.DataFrame(
        {"id": [f"r{i:04}" for i in range(len(scores))], "hard": scores}, schema={"id": pl.String, "hard": pl.Float64}
    )


def kept(selected):
    return selected.rows.filter("kept")["id"].to_list()


# --- row 156: pruning


@pytest.mark.parametrize(
    ("side", "higher", "stay"),
    [
        ("easy", "harder", [0, 1]),
        ("hard", "harder", [2, 3]),
        ("easy", "easier", [2, 3]),
        ("hard", "easier", [0, 1]),
    ],
)
def test_row_156_keep_easy_and_keep_hard_are_a_switch(side, higher, stay):
    prune = Prune(score="hard", higher=higher, side=side, keep=0.5)
    assert kept(prune.select(scored(0.1, 0.2, 0.8, 0.9), SEED)) == [f"r{i:04}" for i in stay]


def test_row_156_kept_and_pruned_are_listed_with_their_score():
    out = Prune(score="hard", higher="harder", side="hard", n=1).select(scored(0.1, 0.9, None, float("nan")), SEED).rows
    assert out.schema == SELECTION
    assert out.select("id", "kept", "reason", "score").rows() == [
        ("r0000", False, "pruned", 0.1),
        ("r0001", True, None, 0.9),
        ("r0002", False, "no_score", None),
        ("r0003", False, "no_score", None),
    ]


def test_row_156_by_size_much_data_keeps_the_hard_and_little_the_easy():
    prune = Prune(score="hard", higher="harder", keep=0.5, plenty=4)
    much, little = prune.select(scored(0.1, 0.2, 0.8, 0.9), SEED), prune.select(scored(0.1, 0.2, 0.9), SEED)
    assert (kept(much), much.notes["side"]) == (["r0002", "r0003"], "hard")
    assert (kept(little), little.notes["side"]) == (["r0000", "r0001"], "easy")
    assert little.notes["because"] == "3 scored examples are fewer than plenty = 4"


@pytest.mark.parametrize(("keep", "of", "stay"), [(0.7, 10, 7), (0.1, 5, 1), (1.0, 3, 3), (0.3, 10, 3), (0.5, 0, 0)])
def test_a_share_is_rounded_up(keep, of, stay):
    out = Prune(score="hard", higher="harder", keep=keep).select(scored(*[float(i) for i in range(of)]), SEED)
    assert len(kept(out)) == stay


# --- row 24: the best


def test_row_24_the_top_of_a_noisy_pool_is_clean():
    """10,000 rows of which 30% are noise, scored by a judge that errs: the best 3,000 hold at most 5% noise."""
    draws = np.random.default_rng(3)
    noise = draws.random(10_000) < 0.3
    score = np.where(noise, 0.3, 0.7) + draws.normal(0, 0.15, 10_000)
    rows = scored(*score.tolist()).with_columns(noise=pl.Series(noise))
    best = Top(score="hard", n=3_000).select(rows, SEED)
    chosen = rows.filter(pl.col("id").is_in(kept(best)))
    assert chosen.height == 3_000
    assert rows["noise"].mean() == pytest.approx(0.3, abs=0.02)
    assert chosen["noise"].mean() <= 0.05


def test_row_24_the_frontier_says_what_size_costs():
    best = Top(score="hard", n=3).select(scored(*[float(i) for i in range(8)]), SEED)
    assert best.notes["frontier"] == [
        {"size": 1, "mean_score": 7.0},
        {"size": 2, "mean_score": 6.5},
        {"size": 3, "mean_score": 6.0},
        {"size": 4, "mean_score": 5.5},
        {"size": 8, "mean_score": 3.5},
    ]


def test_without_a_size_the_top_is_an_order_for_the_mix():
    best = Top(score="hard", higher="worse").select(scored(0.3, 0.1, None), SEED).rows
    assert best["place"].to_list() == [1, 0, None]
    assert best["kept"].to_list() == [True, True, False]


# --- row 155: importance


def cells(**counts):
    names = [name for name, n in counts.items() for _ in range(n)]
    return pl.DataFrame({"id": [f"r{i:04}" for i in range(len(names))], "language": names})


HALVES = {"language": {"en": 0.5, "ko": 0.5}}


def test_row_155_weights_are_the_target_over_the_pool():
    out = Importance(target=HALVES).select(cells(en=90, ko=10), SEED)
    weights = dict(
        out.rows.join(cells(en=90, ko=10), on="id").group_by("language").agg(pl.col("weight").first()).rows()
    )
    assert weights == {"en": pytest.approx(0.556, abs=0.001), "ko": pytest.approx(5.0)}
    assert out.rows["kept"].all()
    assert out.notes["effective_size"] == 36.0  # 100² / (90 x .5556² + 10 x 5²)
    assert [c["made"] for c in out.notes["cells"]] == [0.5, 0.5]


def test_row_155_resampling_comes_near_the_target_without_repeating_a_row():
    rows = cells(en=1_800, ko=200)
    out = Importance(target=HALVES, method="resample", n=100).select(rows, SEED)
    chosen = rows.filter(pl.col("id").is_in(kept(out)))
    assert chosen.height == chosen["id"].n_unique() == 100
    assert chosen.filter(pl.col("language") == "ko").height == pytest.approx(50, abs=12)
    assert set(out.rows["reason"].drop_nulls()) == {"not_drawn"}
    assert out.rows.filter("kept")["weight"].unique().to_list() == [1.0]


def test_resampling_cannot_draw_what_is_not_there():
    out = Importance(target=HALVES, method="resample", n=60).select(cells(en=90, ko=10), SEED)
    made = {c["cell"]: c["made"] for c in out.notes["cells"]}
    assert made["language=ko"] <= 10 / 60 + 1e-6


def test_a_value_outside_the_target_and_one_that_is_nowhere_are_told():
    out = Importance(target=HALVES).select(cells(en=3, fr=1), SEED)
    assert out.rows["reason"].to_list() == [None, None, None, "not_in_target"]
    assert out.notes["nowhere"] == ["language=ko"]


@pytest.mark.parametrize(("weights", "size"), [([1, 1, 1], 3.0), ([1, 0, 0], 1.0), ([], 0.0), ([2, 1], 1.8)])
def test_effective_size(weights, size):
    assert effective_size(np.array(weights, dtype=np.float64)) == pytest.approx(size)


# --- diversity


def clustered(sizes, bands=32, shared=6):
    """Rows in clusters; rows of one cluster share some bands of their sketch and differ in the others."""
    ids, keys, topic = [], [], []
    for cluster, size in enumerate(sizes):
        for member in range(size):
            own = [10_000_000 + cluster * 1_000_003 + member * bands + b for b in range(bands)]
            ids.append(f"r{cluster:03}_{member:04}")
            keys.append([cluster * bands + b if b < shared else own[b] for b in range(bands)])
            topic.append(f"t{cluster}")
    return pl.DataFrame({"id": ids, "keys": keys, "topic": topic}, schema_overrides={"keys": pl.List(pl.UInt64)})


def test_diverse_covers_more_clusters_than_chance_at_equal_size():
    rows = clustered([max(1, int(400 / (i + 1))) for i in range(120)])
    n = 120
    by_chance = rows.with_columns(stable_order(rows["id"], "chance")).sort("order").head(n)["topic"].n_unique()
    chosen = rows.filter(pl.col("id").is_in(kept(Diverse(n=n).select(rows, SEED))))
    assert chosen["topic"].n_unique() == 120  # every one of them
    assert by_chance < 80


def test_strata_take_turns_and_numbers_are_cut_at_powers_of_two():
    rows = pl.DataFrame({"id": [f"r{i:02}" for i in range(20)], "words": [5] * 17 + [300, None, 6]})
    chosen = rows.filter(pl.col("id").is_in(kept(Diverse(by=("words",), near=False, n=3).select(rows, SEED))))
    assert sorted(chosen["words"].to_list(), key=str) in ([300, 5, None], [300, 6, None])


def test_diverse_says_what_it_covers():
    notes = Diverse(n=20).select(clustered([50] * 20), SEED).notes
    assert notes["groups"] == notes["groups_covered"] == 20
    assert notes["groups_by_chance"] < 20


def test_a_row_without_a_sketch_is_like_no_other():
    rows = clustered([3]).with_columns(keys=pl.when(pl.col("id") == "r000_0001").then(None).otherwise("keys"))
    assert "r000_0001" in kept(Diverse(n=2).select(rows, SEED))


# --- laws


ALL = [
    Prune(score="hard", higher="harder", keep=0.4),
    Top(score="hard", n=5),
    Importance(target={"topic": {"t0": 0.5, "t1": 0.5}}),
    Importance(target={"topic": {"t0": 0.5, "t1": 0.5}}, method="resample", n=4),
    Diverse(by=("topic",), keep=0.3),
]


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.none() | st.sampled_from([0.0, 0.5, 1.0, float("nan")]), max_size=14), shuffle=st.randoms())
@pytest.mark.parametrize("selection", ALL, ids=lambda s: f"{s.use}-{getattr(s, 'method', '')}")
def test_law_every_row_once_whatever_the_order(selection, values, shuffle):
    rows = clustered([1] * len(values)).with_columns(
        hard=pl.Series(values, dtype=pl.Float64),
        topic=pl.Series([f"t{i % 3}" for i in range(len(values))], dtype=pl.String),
    )
    order = list(range(rows.height))
    shuffle.shuffle(order)
    one, two = selection.select(rows, SEED), selection.select(rows[order], SEED)
    assert one.rows.equals(two.rows)
    assert one.notes == two.notes
    assert one.rows.schema == SELECTION
    assert one.rows["id"].to_list() == sorted(rows["id"])
    assert (one.rows["kept"] == one.rows["reason"].is_null()).all()


def test_the_order_of_a_large_pool_is_one_sort():
    """Near-linear: four times the rows take less than eight times as long."""

    def seconds(n):
        rows = clustered([n // 100] * 100)
        start = time.process_time()
        diversified(rows, (), True, SEED)
        return time.process_time() - start

    seconds(2_000)
    assert seconds(40_000) < 8 * max(seconds(10_000), 0.05)


# --- in the recipe

BASE = 'name = "x"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('use = "prune"\nscore = "reply_wrods"\nhigher = "harder"\nkeep = 0.5', 'Did you mean "reply_words"'),
        ('use = "prune"\nscore = "reply_words"\nhigher = "harder"', "give keep = 0.7 or n = 5000"),
        ('use = "prune"\nscore = "reply_words"\nkeep = 0.5', "higher: is missing"),
        ('use = "prun"', 'Did you mean "prune"'),
        ('use = "top"\nscore = "reply_words"\nkep = 0.5', 'Did you mean "keep"'),
        ('use = "top"\nscore = "reply_words"\nkeep = 0.5\nn = 4', "give one of them"),
        ('use = "top"\nscore = "language"', "no column of numbers"),
        ('use = "diverse"\nby = ["langage"]', 'Did you mean "language"'),
        ('use = "diverse"\nnear = false', "sees no difference"),
        ('use = "importance"', "target: is missing"),
        ('use = "importance"\nmethod = "resample"\n[set.select.target.language]\nen = 1.0', "give both or neither"),
        ('use = "importance"\n[set.select.target.language]\nen = 0.5', "add up to 0.5"),
        (
            'use = "importance"\n[set.select.target.language]\nen = 1.0\n[set.mix.language]\nen = 1.0',
            "would undo the weights",
        ),
    ],
)
def test_a_mistake_in_the_recipe_says_what_is_right(text, told):
    with pytest.raises(RecipeInvalid, match=told.replace("(", r"\(")):
        parse_recipe(f"{BASE}[set.select]\n{text}")
