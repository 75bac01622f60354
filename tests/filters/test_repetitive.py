import pytest

from flywheel.filters.repetitive import Repetitive
from tests.measured import verdict

VERSE = "Roses are red and violets are blue, sugar is sweet and so are you my dear.\n"
PARAGRAPH = (
    "Hold the button on the back for ten seconds until the light turns orange, then wait for two minutes while the router "
    "starts again, and connect to the network whose name stands on the label underneath."
)
CODE = "\n".join(f"    if value == {n}:\n        return names[{n}]" for n in range(12))


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("I do not know what to say. " * 10, True),
        (
            "The same line stands here again\n" * 4 + "and one different ending of some other kind follows it here now",
            True,
        ),
        ("| " * 60, True),
        ("ha ha ha ha ha ha ha ha", False),
        (
            VERSE
            + "".join(f"Verse {n} is about {n} quite other things, told slowly and with some care.\n" for n in range(5))
            + VERSE,
            False,
        ),
        (CODE, False),
        (" ".join(f"word{n}" for n in range(60)), False),
        ("", False),
        ("환불은 영업일 기준으로 처리됩니다. " * 8, True),
        ("配送状況をご確認ください。" * 5, True),
        ("ご注文の品は本日発送いたしました。お届けまで二、三日かかります。追跡番号はメールでお送りします。", False),
        (
            "첫째, 전원을 끄세요. 둘째, 삼십 초를 기다리세요. 셋째, 다시 켜세요. 그래도 안 되면 고객센터로 전화해 주세요.",
            False,
        ),
        (PARAGRAPH + "\n\n" + PARAGRAPH + "\n\n" + PARAGRAPH, True),
        (PARAGRAPH + "\n\nIn short:\n\n" + PARAGRAPH, False),
        (
            "| plan | price | users |\n|---|---|---|\n"
            + "".join(f"| tier {n} | ${n}9 | {n * 5} |\n" for n in range(9)),
            False,
        ),
    ],
)
def test_repetitive(reply, rejected):
    assert verdict(Repetitive(), reply) is rejected
