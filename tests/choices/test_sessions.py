"""Whole sessions: which turns are learned together."""

import pytest

from flywheel.choices.sessions import Turn, joined, learned, replies_in, said
from tests.trainers import told


def turn(id, *earlier, logged=True):
    """A turn whose reply is its id, in whose prompt the replies named stand."""
    reply = said(told(f"assistant: {id}"))
    return Turn(id, reply, replies_in([told(f"assistant: {e}") for e in earlier]), logged)


@pytest.mark.parametrize(
    ("turns", "together"),
    [
        ((turn("1"), turn("2", "1"), turn("3", "1", "2")), {"3": ["1", "2"]}),
        ((turn("1"), turn("3", "1", "2")), {"3": ["1"]}),  # the second was not worth learning
        ((turn("1"), turn("2", "1"), turn("2b", "1")), {"2b": ["1"], "2": []}),  # a branch that was given up
        ((turn("1"), turn("2", "other")), {"2": [], "1": []}),  # the log told something else
        ((turn("1", logged=False), turn("2", "1")), {"2": [], "1": []}),  # a person wrote another reply
        ((turn("1"),), {"1": []}),
        ((), {}),
    ],
)
def test_row_13_turns_that_a_later_prompt_tells_again_are_joined(turns, together):
    assert {last: [t.id for t in earlier] for last, earlier in joined(turns).items()} == together


def test_what_is_said_is_compared_and_not_what_a_log_keeps_beside_it():
    plain = told("assistant: yes ")
    assert said(plain) == said({**plain, "content": "yes", "extra": '{"annotations": []}'})
    assert said(plain) != said({**plain, "tool_calls": "[]"})


def test_only_replies_are_learned():
    prompt = [told(m) for m in ("user: a", "assistant: a", "user: b", "assistant: b")]
    assert learned(prompt, {said(told("assistant: a"))}) == [False, True, False, False]
