import pytest

from flywheel.filters.shouting import Shouting
from tests.measured import verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("PLEASE STOP ASKING ME THAT, I HAVE TOLD YOU TWICE BEFORE!", True),
        ("Please stop asking me that, I have told you twice before!", False),
        ("NASA, ESA, JAXA", False),
        ("SELECT name, city FROM customers WHERE country = 'KR' ORDER BY name LIMIT 10 OFFSET 20", False),
        ("AWS EC2 인스턴스와 S3 버킷을 사용하고 IAM 권한을 확인하세요. VPC 설정도 살펴보세요.", False),
        ("Run `SELECT COUNT(*) FROM ORDERS GROUP BY STATUS HAVING COUNT(*) > 5`", False),
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
def test_shouting(reply, rejected):
    assert verdict(Shouting(), reply) is rejected
