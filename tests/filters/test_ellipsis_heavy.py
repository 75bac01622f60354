import pytest

from flywheel.filters.ellipsis_heavy import EllipsisHeavy
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("\n".join(f"Ten tricks number {n} ..." for n in range(8)), True),
        ("\n".join(f"소식 {n}…" for n in range(8)), True),
        ("Hmm...", False),
        ("Well...\nLet me see.\nOne.\nTwo.\nThree.\nFour.", False),
        ("Let me think…\nYes…", False),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_ellipsis_heavy(reply, rejected):
    assert verdict(EllipsisHeavy(), reply) is rejected
