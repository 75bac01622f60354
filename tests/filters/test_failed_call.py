import pytest

from flywheel.filters.failed_call import FailedCall
from tests.build import chat


@pytest.mark.parametrize(
    ("turns", "status", "rejected"),
    [
        (["user: hi", "assistant: hello"], "ok", False),
        (["user: hi", "assistant: the error is fixed"], None, False),
        (["user: hi", "assistant: half an ans"], "error", True),
        (["user: hi"], "ok", True),
        (["user: hi", "tool: 4"], "ok", True),
    ],
)
def test_failed_call(turns, status, rejected):
    verdict = chat(*turns, status=status).select(FailedCall().reject().fill_null(False)).item()
    assert verdict is rejected
