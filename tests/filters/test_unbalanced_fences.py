import pytest

from flywheel.filters.unbalanced_fences import UnbalancedFences
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("```python\nprint(1)", True),
        ("한 번\n```\nx\n```\n두 번\n```js\ny", True),
        ("~~~\nnever closed", True),
        ("1. step\n   ```sh\n   ls", True),
        ("```python\nprint(1)\n```", False),
        ("```python\nprint(1)```", False),
        ("````\n```\n````", False),
        ("  ```js\n  y\n  ```", False),
        ("Write ``` before code.", False),
        ("`x` and ``y``", False),
        ("", False),
    ],
)
def test_unbalanced_fences(reply, rejected):
    row = chat("user: go", {"role": "assistant", "content": reply})
    assert row.select(UnbalancedFences().reject()).item() is rejected


def test_no_text_is_balanced():
    assert (
        chat("user: go", {"role": "assistant", "tool_calls": "[{}]"}).select(UnbalancedFences().reject()).item()
        is False
    )
