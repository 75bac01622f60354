import pytest

from flywheel.filters.bullet_heavy import BulletHeavy
from tests.measured import verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("\n".join(f"- item number {n}" for n in range(90)), True),
        ("\n".join(f"{n}. 항목 이름" for n in range(90)), True),
        ("\n".join(f"- item number {n}" for n in range(20)), False),
        ("Intro\n" + "\n".join(f"- item {n}\n  and what it means" for n in range(90)), False),
        ("\n".join(f"-{n} degrees" for n in range(90)), False),
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
def test_bullet_heavy(reply, rejected):
    assert verdict(BulletHeavy(), reply) is rejected
