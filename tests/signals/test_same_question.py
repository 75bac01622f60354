"""The same question under the same circumstances, and the same answer."""

import pytest

from flywheel.recipe import parse_recipe
from flywheel.signals.same_question import SameQuestion
from tests.build import chat, rows

CALL = '[{"id":"c1","type":"function","function":{"name":"find","arguments":"{}"}}]'


def groups(*chats, **parameters) -> tuple[list[str | None], list[str | None]]:
    """Question and answer group of the conversations s:0, s:1, …"""
    frame = rows(*[chat(*turns, id=f"s:{i}", **more) for i, (turns, more) in enumerate(chats)])
    signal = SameQuestion(**parameters)
    found = signal.relate(signal.sketch(frame.lazy())).collect().sort("id")
    return found["question_group"].to_list(), found["answer_group"].to_list()


def test_row_137_case_and_punctuation_make_no_other_question() -> None:
    asked, answered = groups(
        (["user: Is it open?", "assistant: Yes."], {}), (["user: is it  open", "assistant: YES!"], {})
    )
    assert asked == answered == ["s:0", "s:0"]


@pytest.mark.parametrize(
    ("second", "more"),
    [
        (["system: Be brief.", "user: Is it open?", "assistant: No."], {}),
        (["user: Is it closed?", "assistant: No."], {}),
        (["user: Is it open?", "assistant: No."], {"prompt_version": "2"}),
        (["user: Hi.", "assistant: Hello.", "user: Is it open?", "assistant: No."], {}),
        ([{"role": "user", "content": "Is it open?", "parts": '[{"type":"image_url"}]'}, "assistant: No."], {}),
    ],
)
def test_row_137_another_setting_is_another_question(second: list, more: dict) -> None:
    asked, answered = groups((["user: Is it open?", "assistant: Yes."], {}), (second, more))
    assert asked == answered == ["s:0", "s:1"]


def test_without_history_the_last_question_counts() -> None:
    short = ["system: A", "user: Is it open?", "assistant: Yes."]
    long = ["system: A", "user: Hi.", "assistant: Hello.", "user: Is it open?", "assistant: Yes."]
    other = ["system: B", "user: Hi.", "assistant: Hello.", "user: Is it open?", "assistant: Yes."]
    bare = ["user: Is it open?", "assistant: Yes."]
    chats = [(turns, {}) for turns in (short, long, other, bare, bare)]
    assert groups(*chats, history=False)[0] == ["s:0", "s:0", "s:2", "s:3", "s:3"]
    assert groups(*chats)[0] == ["s:0", "s:1", "s:2", "s:3", "s:3"]


def test_nothing_asked_and_nothing_said_are_no_group() -> None:
    call = {"role": "assistant", "tool_calls": CALL}
    chats = (["user: ", "assistant: "], {}), (["user: ?!", call], {}), (["user: a", call], {}), (["assistant: b"], {})
    assert groups(*chats) == ([None, None, "s:2", None], [None, "s:1", "s:1", "s:3"])


def test_conflicts_are_there_where_they_are_asked_for() -> None:
    assert not parse_recipe('name = "r"').has_conflicts
    assert parse_recipe('name = "r"\n[[signal]]\nuse = "same_question"\n').has_conflicts
