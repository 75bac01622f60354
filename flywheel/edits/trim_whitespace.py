"""Trailing spaces and runs of empty lines go."""

import re
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit

_FENCED = re.compile(r"(^ {0,3}(?P<fence>```|~~~)[^\n]*\n.*?(?:^ {0,3}(?P=fence)[^\n]*$|\Z))", re.MULTILINE | re.DOTALL)


class TrimWhitespace(Edit, frozen=True):
    """Remove spaces at line ends and at the end of the text, and leave at most one empty line in a row.

    Fenced code, tool calls and tool results keep every byte.
    """

    use: Literal["trim_whitespace"] = "trim_whitespace"
    prose_only: ClassVar[bool] = True

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        def batch(values: pl.Series) -> pl.Series:
            hits = values.str.contains(r"[ \t\r](?:\n|$)|\n\n\n|\n$").fill_null(False)
            trimmed = [_trim(v) if hit else v for v, hit in zip(values.to_list(), hits.to_list(), strict=True)]
            return pl.Series(values.name, trimmed, dtype=pl.String) if hits.any() else values

        return text.map_batches(batch, return_dtype=pl.String, is_elementwise=True)


def _trim(text: str) -> str:
    """The text with the prose between its fenced blocks trimmed."""
    pieces, at = [], 0
    for block in _FENCED.finditer(text):
        pieces += [_trim_prose(text[at : block.start()]), block.group()]
        at = block.end()
    rest = text[at:]
    return "".join(pieces) + (_trim_prose(rest).rstrip(" \t\r\n") if rest.strip(" \t\r\n") or not pieces else "")


def _trim_prose(text: str) -> str:
    # The look behind keeps a long run of spaces from being tried again at each of its places.
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<![ \t\r])[ \t\r]+(?=\n)", "", text))
