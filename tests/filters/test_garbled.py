import pytest

from flywheel.filters.garbled import Garbled
from tests.measured import verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("caf� ��� and more", True),
        ("Itâ€™s â€œfineâ€\x9d donâ€™t worry", True),
        ("안녕하세요, 무엇을 도와드릴까요?".encode().decode("latin-1"), True),
        ("환불은 사흘 안에 처리됩니다".encode().decode("cp1252", "replace"), True),
        ("Müller öffnet die Tür für Zoë".encode().decode("latin-1"), True),
        ("\x00\x01\x02\x03 binary", True),
        ("\ue000\ue001\ue002 icons", True),
        ("NÃO, SÃO PAULO; Ângela, Ãngela, é o preço à vista. «é», «ê…», naïve café…", False),
        ("Le café «é…» coûte 5 €, n’est-ce pas ? Œuvre, “où” – là…", False),
        ("One \ufffd in a long reply. " + "All else is as it should be. " * 20, False),
        ("👩\u200d👩\u200d👧 किताब می\u200cخواهم é", False),
        ("a\tb\r\nc\u2028d", False),
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
def test_garbled(reply, rejected):
    assert verdict(Garbled(), reply) is rejected
