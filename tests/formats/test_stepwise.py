"""Stepwise lines."""

import pytest

from flywheel.errors import Unreadable
from flywheel.formats.stepwise import stepwise_line
from tests.trainers import example


def test_a_line_has_a_label_for_each_step():
    steps = example("user: q", kind="stepwise", completion=["assistant: a", "assistant: b"], step_labels=[True, False])
    assert stepwise_line(steps) == {"prompt": "q", "completions": ["a", "b"], "labels": [True, False]}
    with pytest.raises(Unreadable, match="steps_without_labels"):
        stepwise_line(steps | {"step_labels": [True]})
