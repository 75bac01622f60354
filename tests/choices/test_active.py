"""Active learning: each batch asks for the rows it should, and their answers teach more than those of random rows."""

import numpy as np
import polars as pl
import pytest

from flywheel.choices.active import PICKED, Committee, Diversity, Margin, Uncertainty
from flywheel.choices.mix import stable_order
from flywheel.recipe import RecipeInvalid, parse_recipe

SEED = 7


def rows(**columns):
    n = len(next(iter(columns.values())))
    return pl.DataFrame({"id": [f"r{i:04}" for i in range(n)], **columns})


def ids(picked):
    return picked["id"].to_list()


def test_row_154_uncertainty_asks_nearest_to_the_decision():
    picked = Uncertainty(name="u", score="p", size=3).pick(rows(p=[0.9, 0.52, 0.1, None, 0.45, float("nan")]), SEED)
    assert picked.schema == PICKED
    assert ids(picked) == ["r0001", "r0004", "r0000"]
    assert picked["why"][0] == "p is 0.52, the decision is made at 0.5"


def test_row_154_margin_asks_where_two_classes_are_close():
    classes = rows(a=[0.8, 0.4, 0.34], b=[0.1, 0.35, 0.33], c=[0.1, 0.25, None])
    picked = Margin(name="m", scores=("a", "b", "c"), size=5).pick(classes, SEED)
    assert ids(picked) == ["r0001", "r0000"]
    assert picked["why"][0] == "the two highest of a, b, c are 0.05 apart"


def test_row_154_a_committee_asks_where_its_members_disagree():
    votes = rows(a=[0.9, 0.9, 0.5], b=[0.9, 0.1, 0.4], c=[0.8, 0.5, None])
    picked = Committee(name="c", scores=("a", "b", "c"), size=2).pick(votes, SEED)
    assert ids(picked) == ["r0001", "r0002"]
    assert picked["score"].to_list() == [pytest.approx(np.std([0.9, 0.1, 0.5])), pytest.approx(0.05)]


def test_a_batch_is_spread_over_strata():
    near = rows(p=[0.5, 0.51, 0.52, 0.9], lang=["en", "en", "en", "ko"])
    assert ids(Uncertainty(name="u", score="p", size=2, by=("lang",)).pick(near, SEED)) == ["r0000", "r0003"]


def test_row_154_diversity_asks_one_of_each_first():
    langs = rows(lang=["en"] * 30 + ["ko", "fr"])
    picked = Diversity(name="d", by=("lang",), near=False, size=3).pick(langs, SEED)
    assert set(langs.filter(pl.col("id").is_in(ids(picked)))["lang"]) == {"en", "ko", "fr"}


@pytest.mark.parametrize(
    "batch", [Uncertainty(name="u", score="p", size=2), Diversity(name="d", by=("p",), near=False, size=2)]
)
def test_ties_are_settled_by_a_hash_and_not_by_the_order_of_rows(batch):
    tied = rows(p=[0.4] * 9)
    one, two = batch.pick(tied, SEED), batch.pick(tied.reverse(), SEED)
    assert one.equals(two)
    assert ids(batch.pick(tied, SEED + 1)) != ids(one)


# --- row 154: beats random at equal labels


def fitted(x, y):
    """Weights of a logistic regression, by gradient descent with a little shrinkage."""
    weights = np.zeros(x.shape[1])
    for _ in range(200):
        weights -= 0.5 * (x.T @ (1 / (1 + np.exp(-x @ weights)) - y) / len(y) + 0.001 * weights)
    return weights


def planted(seed, n=2_000):
    """Points of two classes divided by a line far from the middle; 1 in 8 is of the rarer class."""
    draws = np.random.default_rng(seed)
    x = np.column_stack([draws.normal(size=(n, 6)), np.ones(n)])
    margin = x @ np.array([2.0, -1.0, 0.5, 0.0, 1.0, -0.5, -2.5])
    return x, (margin > 0).astype(float)


def accuracy_after(policy, seed, first=20, size=10, rounds=10):
    """Accuracy on new points after so many labels, the first 20 of them random for every policy."""
    x, y = planted(seed)
    test_x, test_y = planted(seed + 1_000)
    names = pl.Series("id", [f"r{i:04}" for i in range(len(y))])
    asked = stable_order(names, f"start{seed}").arg_sort().to_numpy()[:first].tolist()
    for _ in range(rounds):
        score = 1 / (1 + np.exp(-x @ fitted(x[asked], y[asked])))
        open_rows = pl.DataFrame({"id": names, "p": score}).filter(~pl.col("id").is_in([names[i] for i in asked]))
        asked += [int(i[1:]) for i in policy(open_rows, size, seed)]
    assert len(asked) == len(set(asked)) == first + size * rounds
    return float(((test_x @ fitted(x[asked], y[asked]) > 0) == test_y).mean())


def uncertain(open_rows, size, seed):
    return ids(Uncertainty(name="u", score="p", size=size).pick(open_rows, seed))


def chance(open_rows, size, seed):
    return (
        open_rows.with_columns(stable_order(open_rows["id"], f"chance{seed}")).sort("order").head(size)["id"].to_list()
    )


def test_row_154_beats_random_on_the_planted_problem_at_equal_labels():
    seeds = range(8)
    active = [accuracy_after(uncertain, s) for s in seeds]
    random = [accuracy_after(chance, s) for s in seeds]
    assert np.mean(active) > np.mean(random) + 0.01
    assert sum(a > r for a, r in zip(active, random, strict=True)) >= 6


# --- in the recipe


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('use = "uncertainty"\nname = "u"\nscore = "reply_wrods"', 'Did you mean "reply_words"'),
        ('use = "uncertainty"\nname = "u"\nscore = "language"', "no column of numbers"),
        ('use = "uncertainy"\nname = "u"', 'Did you mean "uncertainty"'),
        ('use = "uncertainty"\nname = "U"\nscore = "rating"', "lower-case letters"),
        ('use = "committee"\nname = "c"\nscores = ["rating", "rating"]', "names a column twice"),
        ('use = "committee"\nname = "c"\nscores = ["rating"]', "at least 2 items"),
        ('use = "diversity"\nname = "d"\nnear = false', "sees no difference"),
        ('use = "diversity"\nname = "d"\nby = ["langage"]', 'Did you mean "language"'),
        ('use = "diversity"\nname = "d"\n[[review]]\nuse = "diversity"\nname = "d"', "used 2 times"),
    ],
)
def test_a_mistake_in_the_recipe_says_what_is_right(text, told):
    with pytest.raises(RecipeInvalid, match=told):
        parse_recipe(f'name = "x"\n[[review]]\n{text}')
