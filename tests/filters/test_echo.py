import pytest

from flywheel.filters.echo import Echo
from tests.build import chat

ASKED = "What is the capital of France?"


@pytest.mark.parametrize(
    ("asked", "reply", "rejected"),
    [
        (ASKED, ASKED, True),
        (ASKED, "**what is the  capital of france**", True),
        (ASKED, f"{ASKED} …", True),
        ("오늘 날씨가 어떤가요?", "오늘 날씨가 어떤가요", True),
        ("東京の天気はどうですか?", "東京の天気はどうですか", True),
        (ASKED, f"{ASKED} Paris.", False),
        (ASKED, "The capital of France is Paris.", False),
        ("Correct this: He go home tomorrow morning.", "He go home tomorrow morning.", False),
        ("Good morning!", "Good morning!", False),
        ("안녕하세요", "안녕하세요", False),
        ("?" * 40, "!", False),
        ("", "", False),
    ],
)
def test_echo(asked, reply, rejected):
    row = chat({"role": "user", "content": asked}, {"role": "assistant", "content": reply})
    assert row.select(Echo().reject()).item() is rejected


def test_only_the_users_words_can_be_echoed():
    row = chat(
        "user: weather?",
        {"role": "tool", "content": "Sunny, 21 degrees in Seoul"},
        "assistant: Sunny, 21 degrees in Seoul",
    )
    assert row.select(Echo().reject()).item() is False
