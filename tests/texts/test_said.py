import gc

import numpy as np
import polars as pl
import pytest

from flywheel.texts import said as texts_said
from flywheel.texts.said import Said, said
from tests.build import chat, rows

CALL = {"role": "assistant", "content": None, "tool_calls": '[{"id":"c"}]'}


def test_each_distinct_text_is_there_once_and_every_message_finds_its_own():
    given = rows(chat("user: a", CALL, id="s:1"), chat("user: b", "assistant: c", "user: a", "assistant: b", id="s:0"))
    read = said(given.lazy())
    assert read.ids.to_list() == ["s:1", "s:0"]
    assert read.texts.to_list() == ["", "a", "b", "c"]
    assert read.texts.gather(read.which).to_list() == ["a", "", "b", "c", "a", "b"]
    assert read.starts.tolist() == [0, 2, 6]
    assert read.owners.tolist() == [0, 0, 1, 1, 1, 1]
    assert read.texts.gather(read.replies).to_list() == ["", "b"]


@pytest.mark.parametrize(
    ("starts", "prompt", "reply"), [([0, 3], [3], [4]), ([0, 1, 1, 3], [0, 0, 2], [1, 0, 4]), ([0], [], [])]
)
def test_prompt_and_reply_share_the_numbers(starts, prompt, reply):
    ids = pl.Series([str(n) for n in range(len(starts) - 1)], dtype=pl.String)
    read = Said(ids, pl.Series(["", "a", "b", "c"]), np.arange(1, starts[-1] + 1), np.array(starts))
    found = read.prompt_and_reply(np.array([0, 1, 2, 4]))
    assert [f.tolist() for f in found] == [prompt, reply]


def test_without_rows_there_is_nothing():
    read = said(chat("user: a", "assistant: b").head(0).lazy())
    assert read.texts.to_list() == [""]
    assert (len(read.ids), read.which.tolist(), read.starts.tolist(), read.replies.tolist()) == (0, [], [0], [])


def test_they_are_read_once_for_one_frame_and_kept_no_longer_than_it():
    first, other = chat("user: a", "assistant: b").lazy(), chat("user: a", "assistant: c").lazy()
    read = said(first)
    assert said(first) is read
    assert said(other).texts.to_list() == ["", "a", "c"]
    assert said(first) is not read
    del first
    gc.collect()
    assert texts_said._known == {}
    assert said(other).texts.to_list() == ["", "a", "c"]
