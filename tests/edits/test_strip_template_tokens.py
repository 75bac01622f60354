import polars as pl
import pytest

from flywheel.edits.strip_template_tokens import StripTemplateTokens


def stripped(text: str | None, **parameters: object) -> str | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    return frame.select(StripTemplateTokens(**parameters).rewrite(pl.col("text"), b"")).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.<|im_end|>\n<|im_start|>assistant\nHi", "Hello.\n\nHi"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nSure.<|eot_id|>", "Sure."),
        ("[INST] <<SYS>>be kind<</SYS>> hi [/INST]", "be kind hi"),
        ("<start_of_turn>model\nhi<end_of_turn>", "hi"),
        ("안녕하세요<|endoftext|>", "안녕하세요"),
        ("[|assistant|]네, 그렇습니다.[|endofturn|]", "네, 그렇습니다."),
        ("<|im_start|>users are", "users are"),
        (None, None),
    ],
)
def test_tokens_go(text, expected):
    assert stripped(text) == expected
    assert stripped(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "`<|im_end|>` ends a turn",
        '"<|im_end|>" ends a turn',
        "“<|im_end|>” 는 차례를 끝냅니다",
        "```\n<|im_start|>user\n```",
        "INST [inst] <|unknown|>",
        "a <b> c | d",
        "  leading space",
        "",
    ],
)
def test_what_is_spoken_of_stays(text):
    assert stripped(text) == text


def test_the_list_is_the_recipes():
    assert stripped("a<END>b<|im_end|>", tokens=("<END>",)) == "ab<|im_end|>"
