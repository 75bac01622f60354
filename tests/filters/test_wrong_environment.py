import pytest

from flywheel.filters.wrong_environment import WrongEnvironment
from tests.build import chat


@pytest.mark.parametrize(
    ("environment", "keep", "rejected"),
    [
        ("staging", ("prod",), True),
        ("prod-eu", ("prod",), True),
        ("prod", ("prod",), False),
        ("staging", ("prod", "staging"), False),
        (None, ("prod",), False),
    ],
)
def test_wrong_environment(environment, keep, rejected):
    row = chat("user: hi", "assistant: hello", environment=environment)
    assert row.select(WrongEnvironment(keep=keep).reject().fill_null(False)).item() is rejected
