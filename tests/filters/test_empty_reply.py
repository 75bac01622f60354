import pytest

from flywheel.filters.empty_reply import EmptyReply
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ({"content": ""}, True),
        ({"content": None}, True),
        ({"content": " \n\t"}, True),
        ({"content": None, "tool_calls": "[]"}, True),
        ({"content": "", "refusal": ""}, True),
        ({"content": None, "reasoning": "I thought a lot"}, True),
        ({"content": "."}, False),
        ({"content": None, "tool_calls": '[{"id":"c"}]'}, False),
        ({"content": None, "refusal": "No."}, False),
    ],
)
def test_empty_reply(reply, rejected):
    assert chat("user: hi", {"role": "assistant", **reply}).select(EmptyReply().reject()).item() is rejected
