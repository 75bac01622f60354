"""Chat-template tokens that slipped into the text."""

import re
from functools import cache
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Edit
from flywheel.texts import prose


class StripTemplateTokens(Edit, frozen=True):
    """Remove the tokens by which chat templates mark turns, with the role that stands in a header: left in the text, they
    would be read as turns of their own in training.

    In code, fenced or inline, and between quotation marks they are spoken of, and stay. Tool calls and tool results are
    left alone.
    """

    use: Literal["strip_template_tokens"] = "strip_template_tokens"
    prose_only: ClassVar[bool] = True
    tokens: tuple[str, ...] = Field(
        default=(
            "<|im_start|>",
            "<|im_sep|>",
            "<|im_end|>",
            "<|endoftext|>",
            "<|endofprompt|>",
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "<|eom_id|>",
            "<|python_tag|>",
            "<|system|>",
            "<|user|>",
            "<|assistant|>",
            "<|end|>",
            "<|START_OF_TURN_TOKEN|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
            "<|SYSTEM_TOKEN|>",
            "<start_of_turn>",
            "<end_of_turn>",
            "<｜begin▁of▁sentence｜>",
            "<｜end▁of▁sentence｜>",
            "<｜User｜>",
            "<｜Assistant｜>",
            "[INST]",
            "[/INST]",
            "<<SYS>>",
            "<</SYS>>",
            "[|endofturn|]",
            "[|system|]",
            "[|user|]",
            "[|assistant|]",
        ),
        min_length=1,
    )
    """Tokens, as they are written."""

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        gate = "|".join(re.escape(t) for t in self.tokens)
        return prose.changed_where(text, gate, self._stripped)

    def _stripped(self, text: str) -> str:
        stripped = prose.outside_code(text, lambda piece: _pattern(self.tokens).sub("", piece))
        return stripped if stripped == text else stripped.strip()


@cache
def _pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """A run of tokens that is not quoted, and the role of a header with it."""
    one = "|".join(re.escape(t) for t in sorted(tokens, key=len, reverse=True))
    role = r"(?:system|developer|user|assistant|tool|ipython|model)"
    opens = "|".join(re.escape(t) for t in ("<|im_start|>", "<|start_header_id|>", "<start_of_turn>") if t in tokens)
    header = rf"(?:{opens}){role}(?:{one}|(?=\s|$))" if opens else "(?!)"
    return re.compile(rf"""(?<!["'“‘「])(?:{header}|{one})(?!["'”’」])""")
