"""Characters nobody sees and nothing needs."""

import re
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit
from flywheel.texts import prose

_INVISIBLE = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_GATE = re.sub(r"\\[xuU]([0-9a-f]+)", r"\\x{\1}", _INVISIBLE)
"""The same for Rust's engine, which writes code points otherwise."""
_COLOUR = r"\x1b\[[0-9;?]*[ -/]*[@-~]"  # a terminal's control sequence
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # of England, Scotland and the like
_REMOVED = re.compile(f"(?P<flag>{_FLAG})|{_COLOUR}|{_INVISIBLE}")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_JOINING = re.compile(
    "[\u0600-\u07ff\u0840-\u08ff\u0900-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u18af\ua800-\ua8ff\ufb50-\ufdff\ufe70-\ufefc]"
)
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_EMOJI = re.compile("[\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff]")


class RemoveControlCharacters(Edit, frozen=True):
    """Remove control characters but tabs and line ends, terminal colours, byte order marks, soft hyphens and zero-width
    characters, in code too.

    What a script needs stays: joiners in emoji and in Arabic, Persian and Indic words, the break between words of Thai, Lao,
    Khmer and Burmese, and direction marks in a text with Hebrew or Arabic letters. Tool calls and tool results are left alone.
    """

    use: Literal["remove_control_characters"] = "remove_control_characters"
    prose_only: ClassVar[bool] = True

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, _may, _visible)


def _may(texts: pl.Series) -> pl.Series:
    """The places of texts with an invisible character; most texts need no look beyond ASCII."""
    beyond = prose.foreign(texts).arg_true()
    beyond = beyond.filter(texts.gather(beyond).str.contains(_GATE))
    return pl.concat([texts.str.contains(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").arg_true(), beyond]).unique().sort()


def _visible(text: str) -> str:
    to_the_left = _RIGHT_TO_LEFT.search(text) is not None

    def removed(m: re.Match[str]) -> str:
        before, after = text[max(0, m.start() - 1) : m.start()], text[m.end() : m.end() + 1]
        return m[0] if m["flag"] or _needed(m[0], before, after, to_the_left) else "\n" if m[0] == "\x85" else ""

    return _REMOVED.sub(removed, text)


def _needed(char: str, before: str, after: str, to_the_left: bool) -> bool:
    """Whether a script needs an invisible character at this place."""
    match char:
        case "\u200d":
            return bool((_EMOJI.match(before) and _EMOJI.match(after)) or _JOINING.match(before))
        case "\u200c":
            return bool(_JOINING.match(before))
        case "\u200b":
            return bool(_SPACELESS.match(before) and _SPACELESS.match(after))
        case "\u200e" | "\u200f" | "\u202a" | "\u202b" | "\u202c" | "\u2066" | "\u2067" | "\u2068" | "\u2069":
            return to_the_left
    return False
