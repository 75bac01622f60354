"""Message trees."""

import pytest

from flywheel.errors import Unreadable
from flywheel.sources.oasst_trees import OasstTrees


def node(id, text, *replies, role="assistant", **more):
    return {"message_id": id, "text": text, "role": role, "replies": list(replies)} | more


TREE = {
    "message_tree_id": "t",
    "prompt": node(
        "1",
        "q",
        node("2", "worse", rank=1),
        node("3", "better", node("4", "why?", node("5", "so"), role="prompter"), rank=0),
        node("6", "gone", deleted=True, rank=2),
        role="prompter",
    ),
}


def test_row_4_every_reply_is_a_row_with_what_was_said_before():
    assert OasstTrees().recognises(TREE)
    rows = {r["native_id"]: [m["content"] for m in r["messages"]] for r in OasstTrees().read(TREE)}
    assert rows == {"2": ["q", "worse"], "3": ["q", "better"], "5": ["q", "better", "why?", "so"]}
    assert {r["conversation_id"] for r in OasstTrees().read(TREE)} == {"t"}


def test_row_4_replies_to_one_message_are_ranked():
    (event,) = OasstTrees().said(TREE)
    assert (event["kind"], event["chosen_id"], event["others"]) == ("choice", "3", ["2"])
    three = TREE["prompt"] | {"replies": [node(str(i), f"r{i}", rank=2 - i) for i in range(3)]}
    (event,) = OasstTrees().said(TREE | {"prompt": three})
    assert (event["kind"], event["others"]) == ("ranking", ["2", "1", "0"])


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (node("1", "q", role="prompter"), "no_reply"),
        ({"message_id": "1"}, "bad_message"),
        ({"text": "q", "role": "prompter"}, "bad_message"),
    ],
)
def test_a_tree_that_is_none_says_why(prompt, reason):
    with pytest.raises(Unreadable) as refused:
        OasstTrees().read({"message_tree_id": "t", "prompt": prompt})
    assert refused.value.reason == reason


def test_a_tree_without_end_is_refused():
    deep = node("x", "end", role="prompter")
    for n in range(300):
        deep = node(str(n), "t", deep, role="prompter" if n % 2 else "assistant")
    with pytest.raises(Unreadable, match="too_deep"):
        OasstTrees().read({"message_tree_id": "t", "prompt": deep})
