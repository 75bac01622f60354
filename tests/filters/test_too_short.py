import pytest

from flywheel.filters.too_short import TooShort
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "min_words", "rejected"),
    [
        ({"content": "two words"}, 3, True),
        ({"content": "now three words"}, 3, False),
        ({"content": "  spaced \n out "}, 3, True),
        ({"content": ""}, 1, True),
        ({"content": "네."}, 1, False),
        ({"content": "ok", "tool_calls": "[]"}, 3, True),
        ({"content": None, "tool_calls": '[{"id":"c"}]'}, 3, False),
    ],
)
def test_too_short(reply, min_words, rejected):
    row = chat("user: a long question does not help", {"role": "assistant", **reply})
    assert row.select(TooShort(min_words=min_words).reject()).item() is rejected
