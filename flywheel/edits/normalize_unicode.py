"""One way to write each character."""

import unicodedata
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit
from flywheel.texts import prose


class NormalizeUnicode(Edit, frozen=True):
    """Bring the text into a Unicode normal form, so that "é" and Korean syllables are one character however they were typed.

    Code, fenced or inline, tool calls and tool results keep every byte.
    """

    use: Literal["normalize_unicode"] = "normalize_unicode"
    prose_only: ClassVar[bool] = True
    form: Literal["NFC", "NFKC"] = "NFC"
    """NFC changes no meaning. NFKC also makes ｆｕｌｌ ｗｉｄｔｈ, ﬁ and ² plain, which may: 2² becomes 22."""

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, self._may, self._normal)

    def _may(self, texts: pl.Series) -> pl.Series:
        # Nothing below U+0300 is ever changed by NFC, nothing below U+00A0 by NFKC.
        beyond = r"[^\x00-\x{2ff}]" if self.form == "NFC" else r"[^\x00-\x{9f}]"
        places = prose.foreign(texts).arg_true()
        return places.filter(texts.gather(places).str.contains(beyond))

    def _normal(self, text: str) -> str:
        if unicodedata.is_normalized(self.form, text):
            return text
        return prose.outside_code(text, lambda piece: unicodedata.normalize(self.form, piece))
