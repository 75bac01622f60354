import pytest

from flywheel.filters.truncated import Truncated
from tests.build import chat


@pytest.mark.parametrize(
    ("finish_reason", "rejected"),
    [("length", True), ("content_filter", True), ("stop", False), ("tool_calls", False), (None, False)],
)
def test_truncated(finish_reason, rejected):
    row = chat("user: hi", "assistant: and so on and", finish_reason=finish_reason)
    assert row.select(Truncated().reject().fill_null(False)).item() is rejected
