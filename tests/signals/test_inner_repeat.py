"""What a reply says twice."""

import pytest

from flywheel.signals.inner_repeat import InnerRepeat
from tests.build import chat, rows

PARAGRAPH = "Hold the button for ten seconds."
CODE = "```\nfor x in everything:\n\n```"


@pytest.mark.parametrize(
    ("reply", "paragraphs", "sentences"),
    [
        (f"{PARAGRAPH}\n\n{PARAGRAPH}", 0.5, 0.5),
        (f"{PARAGRAPH}\n\n{PARAGRAPH.upper()}\n\n{PARAGRAPH}", 2 / 3, 2 / 3),
        (f"{PARAGRAPH} {PARAGRAPH}", 0.0, 0.5),
        (f"{PARAGRAPH}\n\nWait. {PARAGRAPH}", 0.0, 26 / 56),
        (f"{PARAGRAPH}\n\nThen press it once more.", 0.0, 0.0),
        ("Yes.\n\nYes.\n\nYes.", 0.0, 0.0),  # too short to count
        (f"{CODE}\n\n{CODE}\n\n{CODE}", 0.0, 0.0),
        ("십 초 동안 전원 버튼을 누르고 있으면 초기화됩니다.\n\n" * 2, 0.5, 0.5),
        ("", 0.0, 0.0),
    ],
)
def test_row_139_a_paragraph_said_twice_in_one_reply(reply: str, paragraphs: float, sentences: float) -> None:
    frame = chat("user: how?", f"assistant: {reply}").lazy()
    assert InnerRepeat().measure(frame).collect()["inner_repeat"].to_list() == [pytest.approx(paragraphs)]
    found = InnerRepeat(level="sentence").measure(frame).collect()
    assert found["inner_repeat"].to_list() == [pytest.approx(sentences)]


def test_row_139_the_same_paragraph_in_two_replies_is_no_repeat_within() -> None:
    two = rows(*[chat("user: how?", f"assistant: {PARAGRAPH}", id=f"s:{i}") for i in range(2)])
    assert InnerRepeat().measure(two.lazy()).collect()["inner_repeat"].to_list() == [0.0, 0.0]
