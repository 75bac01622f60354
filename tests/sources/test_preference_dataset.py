"""Datasets of preference pairs."""

import pytest

from flywheel.errors import Unreadable
from flywheel.sources.preference_dataset import PreferenceDataset

HH = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: q\n\nAssistant: {}"
USER, GOOD, BAD = ({"role": r, "content": c} for r, c in (("user", "q"), ("assistant", "good"), ("assistant", "bad")))


def sides(line):
    assert PreferenceDataset().recognises(line)
    chosen, rejected = PreferenceDataset().read(line)
    return chosen, rejected


@pytest.mark.parametrize(
    "line",
    [
        {"id": "p", "prompt": "q", "chosen": "good", "rejected": "bad"},
        {"id": "p", "prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
        {"id": "p", "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"id": "p", "prompt": [USER], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"id": "p", "prompt": [USER], "chosen": GOOD, "rejected": BAD},
        {"id": "p", "input": {"messages": [USER]}, "preferred_output": [GOOD], "non_preferred_output": [BAD]},
    ],
)
def test_row_4_each_spelling_is_two_rows_and_a_choice(line):
    chosen, rejected = sides(line)
    assert [m["content"] for m in chosen["messages"]] == ["q", "good"]
    assert [m["content"] for m in rejected["messages"]] == ["q", "bad"]
    (event,) = PreferenceDataset().said(line)
    assert (event["kind"], event["chosen_id"], event["others"]) == ("choice", "p:chosen", ["p:rejected"])
    assert (chosen["native_id"], rejected["native_id"], chosen["conversation_id"]) == ("p:chosen", "p:rejected", "p")


def test_row_4_transcripts_of_hh_are_taken_apart():
    chosen, rejected = sides({"chosen": HH.format("good"), "rejected": HH.format("bad")})
    assert [m["role"] for m in chosen["messages"]] == ["user", "assistant", "user", "assistant"]
    assert chosen["messages"][:-1] == rejected["messages"][:-1]
    assert (chosen["messages"][-1]["content"], rejected["messages"][-1]["content"]) == ("good", "bad")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"chosen": "good", "rejected": "bad"}, "no_reply"),
        ({"chosen": "\n\nHuman: q", "rejected": HH.format("bad")}, "no_reply"),
        ({"prompt": "q", "chosen": 7, "rejected": "bad"}, "bad_messages"),
        ({"prompt": "q", "chosen": [], "rejected": "bad"}, "no_messages"),
    ],
)
def test_what_is_no_pair_says_why(line, reason):
    with pytest.raises(Unreadable) as refused:
        PreferenceDataset().read(line)
    assert refused.value.reason == reason
