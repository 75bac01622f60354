import pytest

from flywheel.filters.bullet_heavy import BulletHeavy
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("\n".join(f"- item number {n}" for n in range(90)), True),
        ("\n".join(f"{n}. 항목 이름" for n in range(90)), True),
        ("\n".join(f"- item number {n}" for n in range(20)), False),
        ("Intro\n" + "\n".join(f"- item {n}\n  and what it means" for n in range(90)), False),
        ("\n".join(f"-{n} degrees" for n in range(90)), False),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_bullet_heavy(reply, rejected):
    assert verdict(BulletHeavy(), reply) is rejected
