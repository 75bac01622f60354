"""Reward: ratings of different raters, made comparable."""

import math

import pytest
from pydantic import ValidationError

from flywheel.sets import PICKED
from flywheel.sets.reward import Reward
from tests.build import chat
from tests.pools import comparisons_of, label, labels_of, pool_of, screened_of


def rated(id, **values):
    return label(id, ratings=[{"rater": r, "value": v, "feedback_id": f"{id}:{r}"} for r, v in values.items()])


def pick(*labels, **parameters):
    rows = screened_of(*[chat("user: hi", f"assistant: {i}", id=i) for i in "abcdef"])
    picked = Reward(name="r", **parameters).pick(
        pool_of(rows).lazy(), labels_of(*labels).lazy(), comparisons_of().lazy()
    )
    assert picked.schema == PICKED
    return {r["id"]: r for r in picked.iter_rows(named=True)}


def test_row_5_a_rater_who_is_always_one_higher_gives_the_same_scores():
    rows = pick(
        rated("a", mild=2.0),
        rated("b", mild=3.0),
        rated("c", mild=5.0),
        rated("d", strict=1.0),
        rated("e", strict=2.0),
        rated("f", strict=4.0),
    )
    assert [rows[i]["score"] for i in "abc"] == [rows[i]["score"] for i in "def"]
    assert [rows[i]["raw_score"] for i in "abcdef"] == [2.0, 3.0, 5.0, 1.0, 2.0, 4.0]
    assert rows["a"]["score"] < 0 < rows["c"]["score"]


def test_a_rater_without_spread_is_measured_by_everybody():
    rows = pick(rated("a", once=5.0), rated("b", x=1.0), rated("c", x=3.0))
    assert rows["a"]["score"] == pytest.approx((5 - 3) / math.sqrt(8 / 3))
    assert (rows["b"]["score"], rows["c"]["score"]) == (-1.0, 1.0)


def test_one_rating_alone_is_average():
    assert pick(rated("a", once=5.0))["a"]["score"] == 0.0


def test_several_raters_of_one_reply_are_averaged():
    row = pick(rated("a", x=1.0, y=2.0), rated("b", x=3.0, y=4.0))["a"]
    assert (row["score"], row["raw_score"]) == (-1.0, 1.5)


@pytest.mark.parametrize(
    ("value", "reasons"), [(5.0, []), (1.0, []), (5.1, ["OFF_SCALE"]), (0.0, ["OFF_SCALE"]), (math.nan, ["OFF_SCALE"])]
)
def test_scale(value, reasons):
    assert pick(rated("a", x=value))["a"]["reasons"] == reasons


def test_a_rating_off_the_scale_spoils_no_other_score():
    clean, spoilt = (
        pick(rated("a", x=1.0), rated("b", x=3.0)),
        pick(rated("a", x=1.0), rated("b", x=3.0), rated("c", x=500.0)),
    )
    assert [clean[i]["score"] for i in "ab"] == [spoilt[i]["score"] for i in "ab"]


def test_a_row_without_rating_says_so():
    assert pick() == pick(label("a", thumb=1)) == {}
    assert Reward.absent == "no_rating"


def test_scores_do_not_depend_on_the_order_of_labels():
    labels = [rated("a", x=1.1, y=2.3), rated("b", x=3.7, y=4.9), rated("c", z=2.2)]
    assert pick(*labels) == pick(*reversed(labels))


def test_a_scale_upside_down_is_refused():
    with pytest.raises(ValidationError, match="expected the lower end first"):
        Reward(name="r", scale=(5, 1))
