"""Numbers are written one way: plain digits, no separators of thousands, a point before decimals."""

import re
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit
from flywheel.texts import prose

_WIDE = re.compile(r"(?<![０-９])(?:[０-９]{1,3}(?:，[０-９]{3})+(?![０-９])|[０-９]+)(?:．[０-９]+)?")
_PLAIN = str.maketrans("０１２３４５６７８９，．", "0123456789,.")
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z_.,'’/])(?P<whole>[1-9][0-9]{0,2}(?P<mark>[,.'’\u00a0\u2009\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*)"
    r"(?P<rest>[.,][0-9]+)?(?![0-9A-Za-z_]|[.,'’][0-9])"
)
"""Groups of three digits with one and the same separator, and what may be decimals."""
_THIN = "\u00a0\u2009\u202f"
_GATE = r"[０-９]|[0-9][,.'’\x{a0}\x{2009}\x{202f}][0-9]{3}"


class NormalizeNumbers(Edit, frozen=True):
    """Write numbers with plain digits, without separators of thousands, and with a point before decimals: １，２３４，５６７,
    1'234'567 and 1 234 567 (with narrow spaces) become 1234567, and 1.234,56 becomes 1234.56.

    Only what cannot be read otherwise: `1,234` alone may be a decimal number, and is taken for thousands only where another
    number of the same text shows how it is meant (1,234,567 or 1,234.5; 1.234,56), and none shows the opposite. Versions,
    dates, lists in brackets and colours (255,255,0) stay, and so does code, fenced or inline; tool calls and tool results are
    left alone.
    """

    use: Literal["normalize_numbers"] = "normalize_numbers"
    prose_only: ClassVar[bool] = True
    separators: Literal["drop", "keep"] = "drop"
    """`keep`: only full-width digits become plain."""

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, _GATE, self._normal)

    def _normal(self, text: str) -> str:
        text = prose.outside_code(text, _narrow)
        if self.separators == "keep":
            return text
        marks = {shown for m in _NUMBER.finditer(prose.without_code(text)) if (shown := _shown(m))}
        thousands = "".join(marks) if len(marks) == 1 else ""
        return prose.outside_code(text, lambda piece: _NUMBER.sub(lambda m: _ungrouped(m, thousands), piece))


def _narrow(text: str) -> str:
    return _WIDE.sub(lambda m: m[0].translate(_PLAIN), text)


def _shown(number: re.Match[str]) -> str:
    """The separator of thousands that a number shows beyond doubt, comma or point; "" where it shows none."""
    mark, rest = number["mark"], number["rest"] or ""
    if mark not in ",." or rest[:1] == mark or _listed(number):
        return ""
    # A version has several points, but no decimals behind a comma.
    return mark if rest or (mark == "," and number["whole"].count(",") > 1) else ""


def _ungrouped(number: re.Match[str], thousands: str) -> str:
    """The number without separators, where they are some for sure. `thousands`: the separator its text shows."""
    mark, rest = number["mark"], number["rest"] or ""
    sure = {
        ",": thousands == ",",
        ".": thousands == "." and not rest.startswith("."),
    }.get(mark, mark in _THIN or number["whole"].count(mark) > 1)
    if not sure or rest[:1] == mark or _listed(number):
        return number[0]
    return "".join(c for c in number["whole"] if c.isdecimal()) + rest.replace(",", ".")


def _listed(number: re.Match[str]) -> bool:
    """Whether it may be several numbers: in brackets of its own, or three of a colour."""
    around = number.string[max(0, number.start() - 1) : number.start()] + number.string[number.end() : number.end() + 1]
    parts = number["whole"].split(number["mark"])
    colour = len(parts) == 3 and not number["rest"] and all(int(part) < 256 and part[0] != "0" for part in parts)
    return around in ("()", "[]", "{}") or (number["mark"] == "," and colour)
