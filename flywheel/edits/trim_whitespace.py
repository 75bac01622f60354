"""Trailing spaces and runs of empty lines go."""

import re
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit
from flywheel.texts import prose

_FENCED = re.compile(r"(^ {0,3}(?P<fence>```|~~~)[^\n]*\n.*?(?:^ {0,3}(?P=fence)[^\n]*$|\Z))", re.MULTILINE | re.DOTALL)


class TrimWhitespace(Edit, frozen=True):
    """Remove spaces at line ends and at the end of the text, and leave at most one empty line in a row.

    Fenced code, tool calls and tool results keep every byte.
    """

    use: Literal["trim_whitespace"] = "trim_whitespace"
    prose_only: ClassVar[bool] = True

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, _loose, _trim)


def _loose(texts: pl.Series) -> pl.Series:
    """The places of texts with white space at the end of a line or of the text, or with three line ends in a row."""
    # Apart: to look for the end of a text in the same expression would cost ten times as much.
    ends = texts.str.tail(1).is_in([" ", "\t", "\r", "\n"])
    return (ends | texts.str.contains(r" \n|\t\n|\r\n|\n\n\n")).arg_true()


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
