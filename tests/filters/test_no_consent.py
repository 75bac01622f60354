import pytest
from pydantic import ValidationError

from flywheel.filters.no_consent import NoConsent
from tests.build import chat


@pytest.mark.parametrize(
    ("metadata", "rejected"),
    [
        ('{"metadata":{"consent":true},"region":"eu"}', False),
        ('{"metadata":{"consent":true},"region":"us"}', True),
        ('{"metadata":{"consent":false},"region":"eu"}', True),
        ('{"metadata":{"consent":1},"region":"eu"}', True),
        ('{"metadata":{"consent":null},"region":"eu"}', True),
        ('{"consent":true,"region":"eu"}', True),  # not where it is asked for
        ("{}", True),
        (None, True),
    ],
)
def test_no_consent(metadata: str | None, rejected: bool) -> None:
    wanted = NoConsent(require={"metadata.consent": True, "region": "eu"})
    frame = chat("user: hi", "assistant: hello", metadata=metadata)
    assert frame.select(wanted.reject()).to_series().to_list() == [rejected]


def test_a_path_reaches_down() -> None:
    wanted = NoConsent(require={"metadata.user.consent.level": 2})
    frame = chat("user: hi", "assistant: hello", metadata='{"metadata":{"user":{"consent":{"level":2}}}}')
    assert frame.select(wanted.reject()).to_series().to_list() == [False]


def test_nothing_required_is_a_mistake() -> None:
    with pytest.raises(ValidationError):
        NoConsent(require={})
