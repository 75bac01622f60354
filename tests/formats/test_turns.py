"""Turns of several messages: to and from chat messages, without a loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import Unreadable
from flywheel.formats.chat_templates import template
from flywheel.formats.mask_proof import conversation
from flywheel.formats.turns import chat_messages, turn_messages, turns_fault
from tests.trainers import CALL, TOOL_USE, TURNS, example, told

RUN = '[{"id":"c1","type":"function","function":{"name":"interpreter","arguments":"{\\"code\\": \\"2+2\\"}"}}]'


def plain(turns):
    return [(t["from"], t["to"], t["content"], t["end_of_turn"]) for t in turns]


def test_row_12_one_turn_to_the_interpreter_and_to_the_user_round_trips_and_ends_once():
    asked = told("user: 2+2?")
    called, said = told({"role": "assistant", "tool_calls": RUN}), told("assistant: I am computing it.")
    turns = turn_messages([asked, called, said])
    assert plain(turns) == [
        ("user", "assistant", "2+2?", True),
        ("assistant", "interpreter", '{"code": "2+2"}', False),
        ("assistant", "user", "I am computing it.", True),
    ]
    assert chat_messages(turns) == [asked, called, said]
    assert sum(t["end_of_turn"] for t in turns if t["from"] == "assistant") == 1
    # The other way round, and told in one chat message.
    both = told({"role": "assistant", "content": "I am computing it.", "tool_calls": RUN})
    turns = turn_messages([asked, both])
    assert [t["to"] for t in turns[1:]] == ["user", "interpreter"]
    assert [t["end_of_turn"] for t in turns[1:]] == [False, True]
    assert chat_messages(turns) == [asked, both]


def test_row_12_a_turn_goes_on_over_the_results_of_tools():
    messages = [*TOOL_USE["prompt"], *TOOL_USE["completion"]]
    turns = turn_messages(messages)
    assert plain(turns)[1:] == [
        ("assistant", "get_order", '{"id":7}', False),
        ("get_order", "assistant", '{"state": "shipped"}', True),
        ("assistant", "user", "It shipped.", True),
    ]
    assert chat_messages(turns) == messages
    assert turns_fault([(t["from"], t["to"], t["end_of_turn"]) for t in turns]) is None


def test_row_12_it_renders_through_plain_chat_templates():
    turns = turn_messages([*TOOL_USE["prompt"], *TOOL_USE["completion"]])
    back = chat_messages(turns)
    again = conversation({**TOOL_USE, "prompt": back[:1], "completion": back[1:]})
    assert template("llama3.1").render(again) == template("llama3.1").render(conversation(TOOL_USE))


TEXT = st.text(max_size=8)
CALLS = st.lists(
    st.builds(
        lambda n, a: f'{{"id":"c{n}","type":"function","function":{{"name":"f{n}","arguments":"{a}"}}}}',
        st.integers(0, 3),
        st.sampled_from(["{}", "[", ""]),
    ),
    max_size=3,
).map(lambda c: f"[{','.join(c)}]" if c else None)


@st.composite
def assistants(draw):
    calls = draw(CALLS)
    content = draw(st.none() | st.text(min_size=1, max_size=8)) if calls else draw(TEXT)
    return told({"role": "assistant", "content": content, "reasoning": draw(st.none() | TEXT), "tool_calls": calls})


@given(st.lists(assistants() | st.builds(lambda t: told({"role": "user", "content": t}), TEXT), max_size=6))
def test_row_12_any_conversation_comes_back_as_it_was(messages):
    turns = turn_messages(messages)
    assert chat_messages(turns) == messages
    assert turn_messages(chat_messages(turns)) == turns
    assert turns_fault([(t["from"], t["to"], t["end_of_turn"]) for t in turns]) is None


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "Be brief.", "name": "n"},
        {"role": "developer", "content": "x", "extra": '{"a":1}'},
        {"role": "user", "content": "x", "parts": '[{"type":"text","text":"x"}]'},
        {"role": "assistant", "content": "x", "name": "bot", "extra": '{"a":1}'},
        {"role": "assistant", "refusal": "No."},
        {"role": "assistant", "content": "Sorry.", "refusal": "No.", "reasoning": "hm"},
        {"role": "tool", "content": "x", "name": "f", "tool_call_id": "c1", "extra": "{}"},
    ],
)
def test_every_field_of_a_message_comes_back(message):
    assert chat_messages(turn_messages([told(message)])) == [told(message)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "tool", "content": "x", "tool_call_id": "lost"}, "tool_reply_without_name"),
        ({"role": "assistant"}, "empty_assistant_message"),
        ({"role": "assistant", "tool_calls": '[{"type":"custom","custom":{}}]'}, "tool_call_is_no_function"),
        ({"role": "assistant", "tool_calls": CALL.replace("get_order", "user")}, "tool_with_the_name_of_a_role"),
        ({"role": "assistant", "tool_calls": CALL.replace('"type"', '"x":1,"type"')}, "tool_call_is_no_function"),
    ],
)
def test_what_has_no_such_form_is_refused(message, reason):
    with pytest.raises(Unreadable, match=reason):
        turn_messages([told(message)])


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([("user", "assistant", True), ("assistant", "user", False)], "message 2 is the last of the turn"),
        ([("assistant", "f", True), ("assistant", "user", True)], "message 1 ends the turn and the assistant goes on"),
        ([("assistant", "f", True), ("f", "assistant", True), ("assistant", "user", True)], "message 1 ends the turn"),
        ([("user", "f", True)], "message 1 goes from user to f"),
    ],
)
def test_row_12_a_turn_ends_exactly_once(turns, says):
    assert says in turns_fault(turns)


def test_examples_of_several_turns():
    turns = turn_messages([*TURNS["prompt"], *TURNS["completion"]])
    assert [t["end_of_turn"] for t in turns] == [True] * 4
    assert example("user: x")["prompt"] == chat_messages(turn_messages(example("user: x")["prompt"]))
