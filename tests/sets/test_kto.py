"""KTO: thumbs as labels."""

import pytest

from flywheel.sets import PICKED
from flywheel.sets.kto import Kto
from tests.build import chat
from tests.pools import comparisons_of, label, labels_of, pool_of, screened_of


@pytest.mark.parametrize(
    ("said", "undesired", "reasons", "desired"),
    [
        ([label("a", thumb=1)], [], [], True),
        ([label("a", thumb=-1)], [], [], False),
        ([label("a", thumb=-1)], ["disliked", "refusal"], [], False),
        ([label("a", thumb=1)], ["refusal"], ["refusal"], True),
        ([label("a", thumb=1)], ["disliked"], [], True),
        ([label("a", contradicted=True)], [], ["CONTRADICTED"], None),
        ([label("a", contradicted=True, thumb=1)], [], [], True),  # a policy settled it
    ],
)
def test_row_6_thumbs_become_labels_and_contradictions_do_not(said, undesired, reasons, desired):
    rows = screened_of(chat("user: hi", "assistant: hello", id="a"), undesired={"a": undesired})
    picked = Kto(name="k").pick(pool_of(rows).lazy(), labels_of(*said).lazy(), comparisons_of().lazy())
    assert picked.schema == PICKED
    row = picked.row(0, named=True)
    assert (row["reasons"], row["label"], row["parents"]) == (reasons, desired, ["a"])


@pytest.mark.parametrize("said", [[], [label("a", rating=5.0)]])
def test_a_reply_without_a_thumb_is_not_considered(said):
    rows = screened_of(chat("user: hi", "assistant: hello", id="a"))
    picked = Kto(name="k").pick(pool_of(rows).lazy(), labels_of(*said).lazy(), comparisons_of().lazy())
    assert picked.is_empty()
    assert Kto.absent == "no_thumb"
