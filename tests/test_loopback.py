"""Which addresses are this machine."""

import pytest

from flywheel.loopback import is_here


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://127.0.0.1:5000/v1", True),
        ("http://127.1.2.3/", True),
        ("http://localhost:8080", True),
        ("http://[::1]:5000", True),
        ("https://example.org/127.0.0.1", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.example.org", False),
        ("http://10.0.0.1", False),
        ("http://[", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_an_address_is_here(endpoint: str, expected: bool) -> None:
    assert is_here(endpoint) is expected
