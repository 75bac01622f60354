import pytest

from flywheel.filters.shouting import Shouting
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("PLEASE STOP ASKING ME THAT, I HAVE TOLD YOU TWICE BEFORE!", True),
        ("Please stop asking me that, I have told you twice before!", False),
        ("NASA, ESA, JAXA", False),
        ("SELECT name, city FROM customers WHERE country = 'KR' ORDER BY name LIMIT 10 OFFSET 20", False),
        ("AWS EC2 인스턴스와 S3 버킷을 사용하고 IAM 권한을 확인하세요. VPC 설정도 살펴보세요.", False),
        ("Run `SELECT COUNT(*) FROM ORDERS GROUP BY STATUS HAVING COUNT(*) > 5`", False),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_shouting(reply, rejected):
    assert verdict(Shouting(), reply) is rejected
