import pytest

from flywheel.signals.reasoning import Reasoning
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "shape"),
    [
        ({"content": "9", "reasoning": "23 - 20 is 3, and 6 more is 9"}, "apart"),
        ({"content": "<think>23 - 20 = 3</think> 9"}, "inline"),
        ({"content": "Step 1: subtract.\nStep 2: add.\n9"}, "inline"),
        ({"content": "He has 23-20=<<23-20=3>>3 left.\n#### 9"}, "inline"),
        ({"content": "1단계: 뺍니다. 2단계: 더합니다."}, "inline"),
        ({"content": "Take step 1 first.", "reasoning": "  "}, "none"),
        ({"content": None}, "none"),
    ],
)
def test_row_8_whether_the_reply_shows_its_steps(reply, shape):
    told = Reasoning().measure(chat("user: 23-20+6?", {"role": "assistant"} | reply).lazy()).collect()
    assert told["reasoning"].to_list() == [shape]
