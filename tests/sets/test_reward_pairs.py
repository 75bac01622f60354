"""Pairs for reward models: rated replies to one prompt."""

import pytest
from pydantic import ValidationError

from flywheel.exports.huggingface import HuggingFace
from flywheel.exports.trl import Trl
from flywheel.sets import PICKED
from flywheel.sets.reward_pairs import RewardPairs
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparisons_of, label, labels_of, pool_of, published, screened_of

CHATS = (
    chat("user: q", "assistant: good", id="good", user="1", conversation_id="1"),
    chat("user: q", "assistant: fair", id="fair", user="2", conversation_id="2"),
    chat("user: q", "assistant: fair", id="same", user="3", conversation_id="3"),
    chat("user: other", "assistant: alone", id="alone", user="4", conversation_id="4"),
)


def rated(id, value, rater="r"):
    return label(id, ratings=[{"rater": rater, "value": value, "feedback_id": f"{id}:{rater}"}])


def pick(*labels, **parameters):
    rows = screened_of(*CHATS)
    wanted = RewardPairs(name="r", **parameters)
    picked = wanted.pick(pool_of(rows).lazy(), labels_of(*labels).lazy(), comparisons_of().lazy())
    assert picked.schema == PICKED
    return {r["id"].partition(":")[0]: r for r in picked.iter_rows(named=True)}


def test_row_5_of_two_rated_replies_to_one_prompt_the_higher_is_chosen():
    row = pick(rated("good", 5.0), rated("fair", 2.0))["fair>rating"]
    assert (row["completion_of"], row["rejected_of"], row["prompt_of"], row["reasons"]) == ("good", "fair", "fair", [])
    assert (row["score"], row["raw_score"], row["signal"]) == (2.0, 3.0, "rating")
    assert (row["parents"], row["feedback"]) == (["good", "fair"], ["fb:fair", "fb:good"])


@pytest.mark.parametrize(
    ("said", "id", "reason"),
    [
        ([rated("good", 3.0), rated("fair", 3.0)], "good>rating", "TIE"),
        ([rated("fair", 3.0), rated("same", 5.0)], "fair>rating", "NO_CONTRAST"),
        ([rated("alone", 3.0)], "alone", "NO_RIVAL"),
        ([rated("good", 9.0), rated("fair", 3.0)], "good", "OFF_SCALE"),
        ([rated("good", 9.0), rated("fair", 3.0)], "fair", "NO_RIVAL"),
    ],
)
def test_row_5_what_makes_no_pair_says_why(said, id, reason):
    rows = pick(*said)
    if id not in rows:
        (id,) = [i for i in rows if ">" in i]
    assert rows[id]["reasons"] == [reason]


def test_rows_without_a_rating_are_left_to_the_assembly():
    assert (pick(), RewardPairs.absent) == ({}, "no_rating")


def test_a_scale_upside_down_is_refused():
    with pytest.raises(ValidationError, match="expected the lower end first"):
        RewardPairs(name="r", scale=(5.0, 1.0))


def test_row_5_a_set_of_pairs_is_exported_with_its_margin(tmp_path):
    labels = labels_of(rated("good", 5.0), rated("fair", 2.0))
    found = published(Store(tmp_path), screened_of(*CHATS), labels=labels)
    wanted = RewardPairs(name="r")
    made = Store(tmp_path).publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    (example,) = made.scan().collect().to_dicts()
    line = Trl().render(example)
    assert (line["chosen"][0]["content"], line["rejected"][0]["content"], line["margin"]) == ("good", "fair", 2.0)
    assert HuggingFace().render(example)["margin"] == 2.0
