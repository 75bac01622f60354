"""The second time a text says a paragraph is left out."""

import polars as pl
import pytest

from flywheel.edits.drop_repeated_paragraphs import DropRepeatedParagraphs
from flywheel.rewriting import rewrite
from tests.build import chat

A, B = "Hold the button for ten seconds.", "Then wait until the light is green."
CODE = f"```\n{A}\n\n{A}\n```"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{A}\n\n{A}", A),
        (f"{A}\n\n{B}\n\n{A}", f"{A}\n\n{B}"),
        (f"{A}\n\n{A}\n\n{B}\n", f"{A}\n\n{B}\n"),
        (f"{A}\n \n\n{A.upper()}\n\n{B}", f"{A}\n\n{B}"),
        (f"{A}\n\n{A[:-1]}!", None),  # another paragraph: it is not the same word for word
        (f"{A}\n{A}", None),  # two lines of one paragraph
        ("Yes.\n\nYes.", None),
        (CODE, None),
        (f"{A}\n\n{CODE}\n{A}\n{CODE}", f"{A}\n\n{CODE}\n\n{CODE}"),
        (f"{CODE}\n{A}\n\n{B}\n\n{A}\n\n{CODE}", f"{CODE}\n{A}\n\n{B}\n\n{CODE}"),
        (f"{A}\n\n```\n{A}\n\n{A}", None),  # a block that is never closed
        (
            "십 초 동안 전원 버튼을 누르고 있으면 초기화됩니다.\n\n" * 2,
            "십 초 동안 전원 버튼을 누르고 있으면 초기화됩니다.\n\n",
        ),
        ("", None),
    ],
)
def test_row_139_the_first_occurrence_stays(text: str, expected: str | None) -> None:
    told = pl.DataFrame({"t": [text]}).select(DropRepeatedParagraphs().rewrite(pl.col("t"), b"s"))["t"].item()
    assert told == (text if expected is None else expected)


def test_row_139_lineage_counts_what_went() -> None:
    edited, made = rewrite(chat("user: how?", f"assistant: {A}\n\n{A}"), [DropRepeatedParagraphs()], b"s")
    assert edited["messages"][0][-1]["content"] == A
    assert made.drop("id", "tokens_saved").rows() == [
        (1, "content", "drop_repeated_paragraphs", 1, 2 * len(A) + 2, len(A))
    ]
    assert made["tokens_saved"].item() > 0


def test_the_results_of_tools_keep_every_byte() -> None:
    _, made = rewrite(
        chat("user: how?", {"role": "tool", "content": f"{A}\n\n{A}"}, "assistant: so"),
        [DropRepeatedParagraphs()],
        b"s",
    )
    assert made.is_empty()
