import numpy as np
import polars as pl
import pytest

from flywheel.records import contents, prompt_and_reply
from tests.build import chat, rows


def test_contents_are_the_texts_of_all_messages_in_order():
    call = {"role": "assistant", "content": None, "tool_calls": '[{"id":"c"}]'}
    texts, starts = contents(rows(chat("user: a", call, id="s:1"), chat("user: b", "assistant: c", id="s:0")))
    assert texts.to_list() == ["a", "", "b", "c"]
    assert starts.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("starts", "prompt", "reply"), [([0, 3], [3], [4]), ([0, 1, 1, 3], [0, 0, 2], [1, 0, 4]), ([0], [], [])]
)
def test_prompt_and_reply_share_the_numbers(starts, prompt, reply):
    numbers = np.array([1, 2, 4])[: starts[-1]]
    found = prompt_and_reply(numbers, np.array(starts))
    assert [f.tolist() for f in found] == [prompt, reply]


def test_without_rows_there_is_nothing():
    texts, starts = contents(chat("user: a", "assistant: b").head(0))
    assert texts.equals(pl.Series("content", [], dtype=pl.String))
    assert starts.tolist() == [0]
