import pytest

from flywheel.filters.no_stop_words import NoStopWords
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        (("large wooden dining table chairs modern design furniture delivery kitchen bedroom " * 12), True),
        (("특가 할인 운동화 최저가 무료배송 신상품 인기상품 여성 남성 아동 가죽 부츠 매장 세일 " * 8), True),
        (("You can return the shoes to any of the stores within thirty days and get your money back. " * 8), False),
        (("Sie können die Schuhe innerhalb von dreißig Tagen in jedem Laden zurückgeben. " * 10), False),
        ("\n".join(f"- running shoe model {n}" for n in range(40)), False),
        ("cheap shoes running sneakers", False),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_no_stop_words(reply, rejected):
    assert verdict(NoStopWords(), reply) is rejected
