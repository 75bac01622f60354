import polars as pl
import pytest

from flywheel.records import all_text, asked, last_input, last_reply
from tests.build import chat

CALL = {"role": "assistant", "content": None, "tool_calls": '[{"id":"c"}]'}


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        (["user: a", "assistant: b"], ("a", "b", "a", "a\nb")),
        (["system: s", "user: a", CALL, "tool: t", CALL], ("t", "", "a", "s\na\n\nt\n")),
        (["assistant: b"], ("", "b", "", "b")),
    ],
)
def test_the_texts_of_a_conversation(turns, told):
    read = chat(*turns).select(
        last_input().alias("input"), last_reply().alias("reply"), asked().alias("asked"), all_text().alias("all")
    )
    assert read.row(0) == told
    assert set(read.dtypes) == {pl.String}
