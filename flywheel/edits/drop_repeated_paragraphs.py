"""Paragraphs that a text has already said go."""

import re
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Edit
from flywheel.texts import prose

_GAP = re.compile(r"(\n[ \t\r]*\n[ \t\r\n]*)")
_LETTERS = re.compile(r"[\W_]+")


class DropRepeatedParagraphs(Edit, frozen=True):
    """Remove each paragraph that stands word for word earlier in the same text; the first occurrence stays where it is.

    Paragraphs are parted by empty lines. Spacing and case do not count. Blocks of code, tool calls and tool results keep
    every byte.
    """

    use: Literal["drop_repeated_paragraphs"] = "drop_repeated_paragraphs"
    prose_only: ClassVar[bool] = True
    min_letters: int = Field(default=20, ge=1)
    """Letters and digits below which a paragraph may come again, such as a heading."""

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, r"\n[ \t\r]*\n", self._without_repeats)

    def _without_repeats(self, text: str) -> str:
        if "```" not in text and "~~~" not in text:  # most texts: see at a glance that nothing comes again
            words = [" ".join(p.lower().split()) for p in _GAP.split(text)[::2]]
            if len(set(words)) == len(words):
                return text
        seen: set[str] = set()
        pieces, at = [], 0
        for start, end in prose.fenced(text)[0]:
            pieces += [self._fresh(text[at:start], seen), text[start:end]]
            at = end
        return "".join([*pieces, self._fresh(text[at:], seen)])

    def _fresh(self, text: str, seen: set[str]) -> str:
        """Prose without the paragraphs seen so far and the gaps before them; the line breaks around it keep code apart."""
        inner = text.strip("\n")
        start = text.find(inner) if inner else len(text)
        first, *rest = _GAP.split(inner)
        kept = [first] if self._is_new(first, seen) else []
        for gap, paragraph in zip(rest[::2], rest[1::2], strict=True):
            kept += [gap if kept else "", paragraph] if self._is_new(paragraph, seen) else []
        return text[:start] + "".join(kept) + text[start + len(inner) :]

    def _is_new(self, paragraph: str, seen: set[str]) -> bool:
        words = " ".join(paragraph.lower().split())
        if len(_LETTERS.sub("", words)) < self.min_letters:
            return True
        known = words in seen
        seen.add(words)
        return not known
