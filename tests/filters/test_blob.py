import base64

import pytest

from flywheel.filters.blob import Blob
from tests.measured import verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        (base64.b64encode(bytes(range(256)) * 2).decode(), True),
        (base64.encodebytes(bytes(range(256)) * 2).decode(), True),
        (("deadbeef01" * 60), True),
        ("It is " + "ab" * 32 + ".", False),
        ("The token is " + "aGVsbG8" * 20 + ", which you send as a bearer. " * 8, False),
        (
            "------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------",
            False,
        ),
        (
            "See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 See https://docs.example.com/guides/how-to/make-a-very-long-path/that-goes-on/and-on?x=1 ",
            False,
        ),
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
def test_blob(reply, rejected):
    assert verdict(Blob(), reply) is rejected
