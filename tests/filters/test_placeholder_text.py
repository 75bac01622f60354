import pytest

from flywheel.filters.placeholder_text import PlaceholderText
from tests.measured import verdict


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
        ("", False),
        ("Yes.", False),
        (
            "환불은 영업일 기준 사흘 안에 처리됩니다. 카드사에 따라 며칠 더 걸릴 수 있습니다. 환불은 영업일 기준 사흘 안에 처리됩니다. 카드사에 따라 며칠 더 걸릴 수 있습니다. 환불은 영업일 기준 사흘 안에 처리됩니다. 카드사에 따라 며칠 더 걸릴 수 있습니다. ",
            False,
        ),
        (
            "ご注文の品は本日発送いたしました。お届けまで二、三日かかります。ご注文の品は本日発送いたしました。お届けまで二、三日かかります。ご注文の品は本日発送いたしました。お届けまで二、三日かかります。",
            False,
        ),
        (
            "سيصل طلبك خلال ثلاثة أيام عمل، ويمكنك متابعته من صفحة الطلبات. سيصل طلبك خلال ثلاثة أيام عمل، ويمكنك متابعته من صفحة الطلبات. سيصل طلبك خلال ثلاثة أيام عمل، ويمكنك متابعته من صفحة الطلبات. ",
            False,
        ),
        (
            "Use a loop:\n\n```python\nfor i in range(10):\n    if a[i] != b[i]: x += {i: [1, 2, (3)]}[i] ** 2\n```\nUse a loop:\n\n```python\nfor i in range(10):\n    if a[i] != b[i]: x += {i: [1, 2, (3)]}[i] ** 2\n```\nUse a loop:\n\n```python\nfor i in range(10):\n    if a[i] != b[i]: x += {i: [1, 2, (3)]}[i] ** 2\n```\n",
            False,
        ),
        (
            "| plan | price |\n|------|------:|\n| one | $5 |\n| two | $9 |\n| three | $12 |\n| plan | price |\n|------|------:|\n| one | $5 |\n| two | $9 |\n| three | $12 |\n| plan | price |\n|------|------:|\n| one | $5 |\n| two | $9 |\n| three | $12 |\n| plan | price |\n|------|------:|\n| one | $5 |\n| two | $9 |\n| three | $12 |\n",
            False,
        ),
        ('{"city": "Seoul", "days": [1, 2, 3], "ok": true}', False),
    ],
)
def test_placeholder_text(reply, rejected):
    assert verdict(PlaceholderText(), reply) is rejected


def test_what_was_asked_for_may_be_left_open():
    letter = "Dear [Recipient], my name is [Your Name]."
    assert verdict(PlaceholderText(), letter, asked="Write me a cover letter") is False
    assert verdict(PlaceholderText(), "[이름] 님께", asked="초대 이메일 써 줘") is False
    assert verdict(PlaceholderText(), letter, asked="Where is my order?") is True
