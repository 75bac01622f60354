"""Markdown's marks go; the words stay."""

import re
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit
from flywheel.texts import prose

_MATHS = re.compile(r"\$\$[^$]{1,2000}\$\$|\$[^$\n]{1,400}\$|\\\([^\n]{1,400}?\\\)|\\\[.{1,2000}?\\\]", re.DOTALL)
_MARKS = (
    ("#", re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.MULTILINE), r"\1"),  # headings
    ("", re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$\n?", re.MULTILINE), ""),  # rules
    (">", re.compile(r"^(?: {0,3}>[ \t]?)+", re.MULTILINE), ""),  # quotations
    (
        "](",
        re.compile(r"!?\[([^\[\]\n]{1,400})\]\([^()\s]{1,2000}(?:[ \t]+\"[^\"\n]{0,400}\")?\)"),
        r"\1",
    ),  # links, images
    ("***", re.compile(r"\*\*\*(?=[^\s*])([^*\n]{1,400})(?<=\S)\*\*\*(?!\*)"), r"\1"),
    ("**", re.compile(r"\*\*(?=[^\s*])([^\n]{1,400}?)(?<=[^\s*])\*\*(?!\*)"), r"\1"),
    (
        "__",
        re.compile(r"(?<![0-9A-Za-z_])__(?=\S)(?![A-Za-z0-9_]{1,400}__)([^\n]{1,400}?)(?<=\S)__(?![0-9A-Za-z_])"),
        r"\1",
    ),
    ("*", re.compile(r"(?<![0-9A-Za-z_*)\\])\*(?=[^\s*])([^*\n]{1,400})(?<=[^\s*(])\*(?![0-9A-Za-z_*(])"), r"\1"),
    ("_", re.compile(r"(?<![0-9A-Za-z_\\/])_(?=[^\s_])([^_\n]{1,400})(?<=[^\s_])_(?![0-9A-Za-z_/])"), r"\1"),
    ("~~", re.compile(r"~~(?=\S)([^~\n]{1,400})(?<=\S)~~"), r"\1"),
)
"""What must stand in a text for the expression to find anything, the expression, and what takes its place."""
_SIGNS = r"(?m)[*_~]|\]\(|^ {0,3}(?:#{1,6}[ \t]|>|-[ \t]*-[ \t]*-)"
_MARKED = "|".join(
    (
        r"(?:^|[^0-9A-Za-z_*)\\]|\\\))\*[^\s*]",
        r"\*\*[^\s*]",
        r"(?:^|[^0-9A-Za-z_\\/])_[^\s_]",
        r"(?:^|[^0-9A-Za-z_])__\S",
        r"~~\S",
        r"\]\([^()\s]",
        r"(?m:^|[`~$)\]]) {0,3}(?:#{1,6}[ \t]|>|[*_-][ \t]*[*_-][ \t]*[*_-])",
    )
)
"""How each mark begins, at the start of a text or of a line, or after code or a formula: a sign alone is mostly none."""
_RULE = re.compile(r"[*_-][ \t]*[*_-][ \t]*[*_-]")


class StripMarkdown(Edit, frozen=True):
    """Remove the marks of headings, emphasis, quotations, links (the words stay, the address goes), images and rules.

    Code (fenced or inline), formulas between dollar signs, lists, tables, tool calls and tool results keep every byte.
    For models that are to answer in plain text; in most chats Markdown is no noise.
    """

    use: Literal["strip_markdown"] = "strip_markdown"
    prose_only: ClassVar[bool] = True

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, lambda texts: prose.holding(texts, _SIGNS, _MARKED), _stripped)


def _stripped(text: str) -> str:
    return prose.outside_code(text, _plain)


def _plain(text: str) -> str:
    """Prose without marks; formulas are left alone."""
    pieces, at = [], 0
    for formula in _MATHS.finditer(text) if "$" in text or "\\(" in text or "\\[" in text else ():
        pieces += [_unmarked(text[at : formula.start()]), formula[0]]
        at = formula.end()
    return "".join(pieces) + _unmarked(text[at:])


def _unmarked(text: str) -> str:
    for needle, mark, words in _MARKS:
        if needle in text and (needle or _RULE.search(text)):
            text = mark.sub(words, text)
    return text
