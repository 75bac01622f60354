import polars as pl
import pytest

from flywheel.filters.too_long import TooLong
from tests.build import chat


@pytest.mark.parametrize(
    ("prompt", "reply", "rejected"), [(60, 41, True), (60, 40, False), (0, 101, True), (None, 500, False)]
)
def test_too_long(prompt, reply, rejected):
    row = chat("user: hi", "assistant: hello").with_columns(
        prompt_tokens_o200k=pl.lit(prompt, dtype=pl.Int32), reply_tokens_o200k=pl.lit(reply, dtype=pl.Int32)
    )
    assert row.select(TooLong(max_tokens=100).reject().fill_null(False)).item() is rejected
