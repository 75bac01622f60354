import pytest

from flywheel.filters.refusal import Refusal
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ({"content": "I cannot help with that."}, True),
        ({"content": "I’m sorry, but I can’t assist with this."}, True),
        ({"content": "죄송하지만 그 요청은 도와드릴 수 없습니다."}, True),
        ({"content": None, "refusal": "No."}, True),
        ({"content": "You cannot help loving it."}, False),
        ({"content": "도와드릴 수 있습니다."}, False),
        ({"content": "Here is the letter. " * 20 + 'She wrote: "I cannot help you."'}, False),
        ({"content": ""}, False),
        ({"content": None}, False),
    ],
)
def test_refusal(reply, rejected):
    row = chat("user: I cannot help it, please explain", {"role": "assistant", **reply})
    assert row.select(Refusal().reject()).item() is rejected


def test_a_refusal_may_still_be_the_losing_side():
    assert Refusal.rejects == "target"
