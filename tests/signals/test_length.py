import polars as pl
import pytest

from flywheel.signals.length import Length
from tests.build import chat, rows


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (["user: hi there", "assistant: hello"], (8, 5, 2, 1, 1)),
        (["system: be kind", "user: a", "assistant: b", "user: c d", "assistant: e\tf\ng"], (12, 5, 6, 3, 2)),
        (["user: 안녕 하세요", "assistant: 네."], (6, 2, 2, 1, 1)),
        (["user: ", "assistant:  \n "], (0, 3, 0, 0, 1)),
        (["assistant: alone"], (0, 5, 0, 1, 0)),
    ],
)
def test_counts(turns, expected):
    assert Length().measure(chat(*turns).lazy()).drop("id").collect().row(0) == expected


def test_a_tool_call_has_no_text_and_no_row_is_lost():
    call = {"role": "assistant", "content": None, "tool_calls": '[{"id":"c"}]'}
    given = rows(chat("user: go", call, id="s:1"), chat("user: go", call, id="s:0"))
    measured = Length().measure(given.lazy()).collect()
    assert measured["id"].to_list() == ["s:1", "s:0"]
    assert measured["reply_chars"].to_list() == [0, 0]
    assert measured.schema == pl.Schema({"id": pl.String, **Length.gives})
