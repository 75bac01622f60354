"""Stored messages as trainers want them."""

import pytest

from flywheel.errors import Unreadable
from flywheel.formats.messages import call_names, calls_of, functions_of, thought_text, without_instructions
from tests.trainers import CALL, TOOLS, example, told


def test_calls_and_their_names():
    message = told({"role": "assistant", "tool_calls": CALL})
    assert calls_of(message) == [("call_1", "get_order", {"id": 7})]
    assert call_names([message]) == {"call_1": "get_order"}


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ('[{"id":"a","type":"custom","custom":{"name":"x","input":"y"}}]', "tool_call_is_no_function"),
        ('[{"id":"a","function":{"name":"x","arguments":"[1]"}}]', "arguments_are_no_object"),
        ('[{"id":"a","function":{"name":"x","arguments":"{"}}]', "arguments_are_no_json"),
    ],
)
def test_calls_that_cannot_be_told_are_refused(calls, reason):
    with pytest.raises(Unreadable) as refused:
        calls_of(told({"role": "assistant", "tool_calls": calls}))
    assert refused.value.reason == reason


def test_instructions_come_first():
    system, rest = without_instructions([told("system: a"), told("developer: b"), told("user: c")])
    assert (system, [m["content"] for m in rest]) == ("a\n\nb", ["c"])
    with pytest.raises(Unreadable, match="instructions_not_first"):
        without_instructions([told("user: c"), told("system: a")])


def test_thoughts_and_functions():
    assert (
        thought_text(told({"role": "assistant", "content": "7", "reasoning": "3+4"})) == "<think>\n3+4\n</think>\n\n7"
    )
    assert functions_of(example("user: q", tools=TOOLS))[0]["name"] == "get_order"
    with pytest.raises(Unreadable, match="tool_is_no_function"):
        functions_of(example("user: q", tools='[{"type":"web_search"}]'))
