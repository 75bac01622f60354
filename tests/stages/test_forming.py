"""Forming: whole sessions, and what their examples become in files."""

import datetime as dt

import pytest

from flywheel.exports import EXPORTS
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import NOON, label, labels_of, published, screened_of


def made(tmp_path, wanted, screened, **pool):
    store = Store(tmp_path)
    found = published(store, screened, **pool)
    return store.publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))


SESSION = ["system: s", "user: 1", "assistant: one", "user: 2", "assistant: two", "user: 3", "assistant: three"]


def session():
    """Three turns of one session, each with what was said before it."""
    return [
        chat(*SESSION[: 2 * t + 1], id=f"t{t}", turn=t, occurred_at=NOON + dt.timedelta(minutes=t)) for t in (1, 2, 3)
    ]


@pytest.mark.parametrize("system", ["keep", "drop"])
def test_row_13_the_disliked_turn_of_a_whole_session_is_masked_and_the_others_are_learned(tmp_path, system):
    labels = labels_of(label("t2", thumb=-1, thumbs_down=1))
    wanted = Sft(name="s", turns="whole", system=system)
    out = made(tmp_path, wanted, screened_of(*session()), labels=labels)
    (example,) = out.scan().collect().to_dicts()
    assert (example["id"], example["parents"]) == ("t3", ["t3", "t1"])
    asked = [m.partition(": ")[2] for m in SESSION[system == "drop" : 6]]
    assert [m["content"] for m in example["prompt"]] == asked
    assert example["learned"] == [text == "one" for text in asked]
    assert out.scan("rejected").collect().select("id", "reasons").rows() == [("t2", ["disliked"])]
    lines = {use: EXPORTS[use]().render(example)["messages"] for use in ("openai", "axolotl", "together", "mistral")}
    for use, key in (("openai", "weight"), ("axolotl", "train"), ("together", "weight"), ("mistral", "weight")):
        assert [m[key] for m in lines[use] if m["role"] == "assistant"] == [1, 0, 1], use
    assert "earlier replies that are learned" in EXPORTS["trl"]().losses(example)
    assert "weight of earlier replies" in EXPORTS["sharegpt"]().losses(example)


def test_row_13_a_session_ends_at_its_last_reply_worth_learning(tmp_path):
    labels = labels_of(label("t3", thumb=-1, thumbs_down=1))
    (example,) = (
        made(tmp_path, Sft(name="s", turns="whole"), screened_of(*session()), labels=labels).scan().collect().to_dicts()
    )
    assert (example["id"], example["learned"]) == ("t2", [False, False, True, False])


def test_a_session_of_one_turn_learns_its_completion_alone(tmp_path):
    (example,) = made(tmp_path, Sft(name="s", turns="whole"), screened_of(session()[0])).scan().collect().to_dicts()
    assert (example["id"], example["learned"], example["source"]) == ("t1", None, "openai_chat")
