"""What the next turn says of the reply before it."""

import datetime as dt

import polars as pl
import pytest

from flywheel.filters.corrected_later import CorrectedLater
from flywheel.labels import FeedbackPolicy
from flywheel.logs.inferred import INFERRED, inferred
from flywheel.records import FEEDBACK
from flywheel.stages.label import label
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import NOON, snapshot

BOTH = ("correction", "rephrase")


def calls(tmp_path, *turns, session="s1"):
    """A session: each turn is what the user says and the reply; every call has what was said before."""
    rows, before = [], []
    for n, (asked, reply) in enumerate(turns):
        before = [*before, f"user: {asked}"]
        when = NOON + dt.timedelta(minutes=n)
        rows.append(
            chat(
                *before, f"assistant: {reply}", id=f"c:{session}{n}", turn=n, conversation_id=session, occurred_at=when
            )
        )
        before = [*before, f"assistant: {reply}"]
    return snapshot(Store(tmp_path), "conversations", {"rows": pl.concat(rows)})


RATE = ("What is 100 dollars?", "It is 92,000 won.")


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ((RATE, ("no, I meant EUR", "It is 85 euros.")), [("correction", "c:s10")]),
        ((RATE, ("아니, 유로 말고", "85유로입니다.")), [("correction", "c:s10")]),
        ((RATE, ("what is 100 dollars", "85 euros.")), [("rephrase", "c:s10")]),
        ((RATE, ("Thank you!", "Welcome.")), []),
        ((("Convert 100 dollars.", "To won?"), ("no, I meant EUR", "85 euros.")), []),  # it had not answered yet
        ((RATE, ("Thanks", "Welcome."), ("that's wrong", "Sorry.")), [("correction", "c:s11")]),
        ((RATE,), []),
    ],
)
def test_row_14_the_answer_before_a_correction_is_labelled(tmp_path, turns, found):
    events = inferred(calls(tmp_path, *turns), BOTH)
    assert events.schema == INFERRED
    assert events.select("sign", "target_id").rows() == found


def test_only_what_the_recipe_asks_for_is_inferred(tmp_path):
    again = calls(tmp_path, RATE, ("what is 100 dollars", "85 euros."))
    assert inferred(again, ("correction",)).is_empty()


def test_a_call_made_again_is_no_question_asked_again(tmp_path):
    first, second = (
        chat("user: What is 100 dollars?", f"assistant: {r}", id=r, turn=n) for n, r in enumerate(("one", "two"))
    )
    assert inferred(snapshot(Store(tmp_path), "conversations", {"rows": pl.concat([first, second])}), BOTH).is_empty()


@pytest.mark.parametrize(("infer", "signs", "implicit"), [(BOTH, ["correction"], -1.0), ((), None, None)])
def test_row_14_a_correction_is_a_weak_sign_of_the_label(tmp_path, infer, signs, implicit):
    session = calls(tmp_path, RATE, ("no, I meant EUR", "It is 85 euros."))
    nothing = snapshot(Store(tmp_path), "feedback", {"rows": pl.DataFrame(schema=FEEDBACK)})
    labels = Store(tmp_path).publish(label(session, nothing, FeedbackPolicy(infer=infer)))
    rows = labels.scan().select("id", "signs", "implicit", "feedback", "thumb").collect().rows()
    said = [("c:s10", signs, implicit, ["inferred:correction:c:s11"], None)]
    assert rows == (said if signs else [])
    assert labels.count("ledger") == len(rows)
    judged = labels.scan().select(CorrectedLater().reject()).collect().to_series().to_list()
    assert judged == [True] * len(rows)
