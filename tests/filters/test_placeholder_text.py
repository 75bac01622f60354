import pytest

from flywheel.filters.placeholder_text import PlaceholderText
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("Dear [Your Name], thank you for your order.", True),
        ("Lorem ipsum dolor sit amet.", True),
        ("[이름] 님, 안녕하세요.", True),
        ("TODO: write this part", True),
        ("Go to <INSERT LINK HERE> and sign in.", True),
        ("```python\n# TODO: handle errors\n```\nThat is the code.", False),
        ("Use `{{name}}` where the name goes.", False),
        ("My to-do list is long: todo lists help.", False),
        ("See [1] and [the docs](https://x.example).", False),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_placeholder_text(reply, rejected):
    assert verdict(PlaceholderText(), reply) is rejected


def test_what_was_asked_for_may_be_left_open():
    letter = "Dear [Recipient], my name is [Your Name]."
    assert verdict(PlaceholderText(), letter, asked="Write me a cover letter") is False
    assert verdict(PlaceholderText(), "[이름] 님께", asked="초대 이메일 써 줘") is False
    assert verdict(PlaceholderText(), letter, asked="Where is my order?") is True
