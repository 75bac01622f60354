"""What single kinds of set are measured by."""

from flywheel.quality.expectations import judge
from flywheel.quality.measures import candidate
from flywheel.quality.targets import set_targets
from flywheel.sets.corpus import Corpus
from flywheel.sets.kto import Kto
from flywheel.sets.reward import Reward
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import label, labels_of, published, screened_of


def judged(tmp_path, wanted, *labels, rows=10):
    """Check -> its finding, of a set made of rows r0, r1, …"""
    store = Store(tmp_path)
    chats = [
        chat(f"user: q{i}", f"assistant: a{i}", id=f"r{i}", user=f"{i}", conversation_id=f"{i}") for i in range(rows)
    ]
    found = published(store, screened_of(*chats), labels=labels_of(*labels))
    made = store.publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    findings = judge(set_targets(wanted), candidate(wanted, made, found["curated"], ()))
    return made, {f.name: f for f in findings}


def test_row_6_nine_to_one_is_a_warning_with_the_weights_that_mend_it(tmp_path):
    labels = [label(f"r{i}", thumb=1 if i % 10 else -1) for i in range(100)]
    made, found = judged(tmp_path, Kto(name="k"), *labels, rows=100)
    assert (made.notes["labels"]["desired"], made.notes["labels"]["undesired"]) == (90, 10)
    balance = found["labels_are_balanced"]
    assert (balance.passed, balance.blocking) == (False, False)
    assert "desirable_weight = 1 and undesirable_weight = 9 make both sides count the same" in balance.summary
    assert "kto.yaml" in balance.summary


def test_row_5_ratings_off_their_scale_are_a_sentence_and_the_others_go_on(tmp_path):
    labels = [label(f"r{i}", ratings=[{"rater": "x", "value": float(i), "feedback_id": f"{i}"}]) for i in range(8)]
    made, found = judged(tmp_path, Reward(name="r", scale=(1.0, 5.0)), *labels)
    off = found["ratings_are_on_scale"]
    assert (made.count(), off.passed, off.blocking, off.n) == (5, False, False, 8)
    assert "37.5% of 8 rated rows with a rating off the scale" in off.summary
    assert "Declare the scale" in off.summary
    assert found["scores_are_on_scale"].passed


def test_an_empty_set_says_what_the_rows_lack(tmp_path):
    made, found = judged(tmp_path, Kto(name="k"), label("r0", contradicted=True))
    assert made.count() == 0
    assert not found["set_is_not_empty"].passed
    assert "10 of 10 rows lost to an empty set (no_thumb: 9; CONTRADICTED: 1)" in found["set_is_not_empty"].summary


def test_row_1_documents_longer_than_a_sequence_are_counted(tmp_path):
    made, found = judged(tmp_path, Corpus(name="c"))
    assert made.count() == 10
    assert (found["documents_fit_a_sequence"].passed, found["documents_fit_a_sequence"].n) == (True, 0)  # not counted
