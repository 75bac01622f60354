import pytest

from flywheel.filters.garbled import Garbled
from tests.measured import HARMLESS, verdict


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
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_garbled(reply, rejected):
    assert verdict(Garbled(), reply) is rejected
