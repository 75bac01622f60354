import pytest

from flywheel.filters.broken_roles import BrokenRoles
from tests.build import chat, rows

CALL = {"role": "assistant", "tool_calls": '[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]'}
TWO = {"role": "assistant", "tool_calls": '[{"id":"c1"},{"id":"c2"}]'}


def answer(id: str | None) -> dict[str, str | None]:
    return {"role": "tool", "content": "4", "tool_call_id": id}


CASES = [
    (["user: a", "assistant: b"], False),
    (["system: s", "developer: d", "user: a", "assistant: b"], False),
    (["system: s", "assistant: Welcome!", "user: a", "assistant: b"], False),
    (["user: a", "user: b", "assistant: c"], False),
    (["user: a", CALL], False),
    (["user: a", CALL, answer("c1"), "assistant: b"], False),
    (["user: a", TWO, answer("c2"), answer("c1"), "assistant: b"], False),
    (["user: a", CALL, answer("c1"), CALL, answer("c1"), "assistant: b"], False),
    (["user: a", "system: s", "assistant: b"], True),
    (["user: a", "robot: b", "assistant: c"], True),
    (["user: a", {"role": None, "content": "b"}, "assistant: c"], True),
    (["user: a"], True),
    (["assistant: b"], True),
    (["system: s", "user: a"], True),
    (["user: a", CALL, answer("c9"), "assistant: b"], True),
    (["user: a", CALL, answer(None), "assistant: b"], True),
    (["user: a", CALL, answer("c1"), answer("c1"), "assistant: b"], True),
    (["user: a", TWO, answer("c1"), "assistant: b"], True),
    (["user: a", CALL, "user: never mind", "assistant: b"], True),
    (["user: a", {"role": "assistant", "tool_calls": "not json"}, answer("c1"), "assistant: b"], True),
    (["user: a", answer("c1"), "assistant: b"], True),
]


@pytest.mark.parametrize(("turns", "rejected"), CASES)
def test_broken_roles(turns, rejected):
    assert chat(*turns).select(BrokenRoles().reject()).item() is rejected


def test_a_row_is_judged_the_same_in_company():
    together = rows(*[chat(*turns, id=f"s:{n}") for n, (turns, _) in enumerate(CASES)])
    assert together.select(BrokenRoles().reject()).to_series().to_list() == [rejected for _, rejected in CASES]
