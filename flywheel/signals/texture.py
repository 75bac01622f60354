"""What the text of a reply is made of."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.kinds import Signal
from flywheel.records import last_reply
from flywheel.texts.packed import Counts, Packed, Words, packed

Numbers = npt.NDArray[Any]

SHARES = (
    "symbol_share",
    "capital_share",
    "lettered_word_share",
    "mean_word_chars",
    "stop_words_en",
    "stop_words_ko",
    "bullet_share",
    "ellipsis_share",
    "garbled_share",
    "blob_share",
    "byte_entropy",
)
COUNTS = ("letters", "lines", "longest_line")


class Texture(Signal, frozen=True):
    """What the reply's text is made of, in the terms of Gopher and C4: shares from 0 to 1 of its characters, words or lines.

    `symbol_share`: ASCII signs that are neither punctuation nor the rules of tables, of all but white space. `capital_share`:
    ASCII capitals of `letters`, where everything beyond ASCII is a letter. `lettered_word_share`: words with a letter.
    `stop_words_en`, `stop_words_ko`: words that only hold English together, words that end in a Korean particle. `bullet_share`,
    `ellipsis_share`: lines that begin with a bullet, that end in an ellipsis; of `lines` with anything on them. `longest_line`:
    characters. `garbled_share`: replacement, private-use and control characters, and UTF-8 read as Latin-1. `blob_share`: bytes in
    runs of base64 or hexadecimal digits. `byte_entropy`: bits a byte.
    """

    use: Literal["texture"] = "texture"
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    gives: ClassVar[Mapping[str, Any]] = dict.fromkeys(COUNTS, pl.Int32) | dict.fromkeys(SHARES, pl.Float32)
    blob: int = 60
    """Digits in a row from which they are a blob and no word: base64 is wrapped at 64 or 76, a SHA-256 has 64."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        said = rows.select("id", text=last_reply()).collect()
        texts = said["text"].unique(maintain_order=True)
        parts = [_counted(p, self.blob) for p in packed(texts)]
        counted = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _NOTHING
        every = pl.DataFrame({"text": texts, **counted, **self._searched(texts, counted)}).select(
            "text", **self._told()
        )
        return said.join(every, on="text", how="left", maintain_order="left").drop("text").lazy()

    def _searched(self, texts: pl.Series, counted: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """What takes a regular expression, asked only of texts that may hold it."""
        foreign = counted["chars"] < counted["bytes"]
        dots = texts.str.contains("...", literal=True).to_numpy() | foreign
        return {
            "bullets": _matches("\n" + texts, counted["lines"] > 0, BULLET),
            "ellipses": _matches(texts, dots, ELLIPSIS),
            "particles": _matches(texts, foreign, PARTICLE),
            "garbled": _matches(texts, foreign, GARBLED) + counted["controls"],
            "blobs": _lengths(texts, counted["long_words"] > 0, rf"[A-Za-z0-9+/]{{{self.blob},}}=*"),
        }

    @staticmethod
    def _told() -> dict[str, pl.Expr]:
        col = pl.col
        shares = {
            "symbol_share": _share(col("symbols"), col("chars") - col("spaces")),
            "capital_share": _share(col("capitals"), col("letters")),
            "lettered_word_share": _share(col("lettered"), col("words")),
            "mean_word_chars": _share(col("chars") - col("spaces"), col("words")),
            "stop_words_en": _share(col("stop_words"), col("words")),
            "stop_words_ko": _share(col("particles"), col("words")),
            "bullet_share": _share(col("bullets"), col("lines")),
            "ellipsis_share": _share(col("ellipses"), col("lines")),
            "garbled_share": _share(col("garbled"), col("chars")),
            "blob_share": _share(col("blobs"), col("bytes")),
            "byte_entropy": col("entropy").cast(pl.Float32),
        }
        return {c: col(c).cast(pl.Int32) for c in COUNTS} | {s: shares[s] for s in SHARES}


BULLET = r"\n[ \t]*(?:[-*+•●▪‣·◦]|[0-9]{1,3}[.)])[ \t]"
ELLIPSIS = r"(?m)(?:\.\.\.|…)[ \t\r]*$"
PARTICLE = (
    r"[\x{ac00}-\x{d7a3}](?:은|는|이|가|을|를|에|의|도|로|와|과|서|고|며|면|게|지|다|요|죠|까)"
    r"(?:[ \t\r\n.,!?)\"'…:;~]|$)"
)
LATIN_REST = (
    r"\x{80}-\x{bf}\x{152}\x{153}\x{160}\x{161}\x{178}\x{17d}\x{17e}\x{192}\x{2c6}\x{2dc}\x{2013}\x{2014}\x{2018}-\x{201e}"
    r"\x{2020}-\x{2022}\x{2026}\x{2030}\x{2039}\x{203a}\x{20ac}\x{2122}"
)
"""What the bytes after the first of a UTF-8 character become in Latin-1 or Windows-1252."""
GARBLED = (
    r"[\x{fffd}\x{e000}-\x{f8ff}\x{80}-\x{84}\x{86}-\x{9f}]|[ÂÃ][\x{80}-\x{bf}]|â€|ðŸ"
    rf"|[\x{{ea}}-\x{{ed}}][{LATIN_REST}]{{2}}"
)
"""Also Hangul read so: its first byte is a vowel with an accent, and the two others are no letters."""

STOP_WORDS = (
    "the",
    "be",
    "to",
    "of",
    "and",
    "that",
    "have",
    "with",
    "is",
    "in",
    "it",
    "for",
    "you",
    "are",
    "this",
    "on",
    "as",
)
"""The eight words Gopher asks for, and others that every English answer has."""


def _counted(texts: Packed, long: int) -> dict[str, Numbers]:
    """What is told of each text by its bytes, words and lines."""
    bytes_, words = texts.histogram, texts.words
    sizes = bytes_.sum(axis=1)
    # Whole numbers below 2^53, as floats: those are multiplied by BLAS.
    classes = (bytes_.astype(np.float64) @ _CLASSES).astype(np.int64).T
    counts = dict(zip(_MEMBERS, classes, strict=True))
    short = np.flatnonzero(words.lengths <= 4)
    stop = short[np.isin(words.heads(short) | _CASE, _STOP)]
    return counts | {
        "bytes": sizes,
        "entropy": _entropy(bytes_, sizes),
        "words": words.per_text(),
        "lettered": words.per_text(_lettered(words)),
        "stop_words": np.bincount(words.owner[stop], minlength=len(sizes)),
        "long_words": np.bincount(words.owner[words.lengths >= long], minlength=len(sizes)),
        **_lines(texts),
    }


def _lines(texts: Packed) -> dict[str, Counts]:
    """Lines with anything on them, and characters of the longest line."""
    chars = np.diff(texts.lines, append=len(texts.data)) - 1
    rest = np.flatnonzero((texts.data & 0xC0) == 0x80)  # bytes of a character beyond its first
    if len(rest):
        chars -= np.bincount(np.searchsorted(texts.lines, rest, side="right") - 1, minlength=len(chars))
    owner = np.searchsorted(texts.starts, texts.lines, side="right") - 1
    words = np.append(texts.words.starts, len(texts.data))
    held = words[np.searchsorted(words, texts.lines)] < np.append(texts.lines[1:], len(texts.data))
    longest = np.maximum.reduceat(chars, np.flatnonzero(np.diff(owner, prepend=-1)))
    return {"lines": np.bincount(owner[held], minlength=len(longest)), "longest_line": longest}


def _lettered(words: Words) -> Numbers:
    """Whether each word holds a letter. Most begin with one, so the others are looked at byte by byte, for sixteen bytes."""
    data = words.texts.data
    told = np.take(_LETTER, data[words.starts])
    left = np.flatnonzero(~told)
    for at in range(1, 16):
        left = left[words.lengths[left] > at]
        if not len(left):
            return told
        found = np.take(_LETTER, data[words.starts[left] + at])
        told[left[found]] = True
        left = left[~found]
    for word in left.tolist():
        told[word] = np.take(_LETTER, data[words.starts[word] : words.ends[word]]).any()
    return told


def _entropy(histogram: Counts, sizes: Counts) -> Numbers:
    """Bits a byte, of texts of so many bytes."""
    inside = np.take(_C_LOG_C, np.minimum(histogram, len(_C_LOG_C) - 1)).sum(axis=1)
    for text in np.flatnonzero(sizes >= len(_C_LOG_C)).tolist():
        counts = np.maximum(histogram[text], 1)
        inside[text] = (counts * np.log2(counts)).sum()
    some = np.maximum(sizes, 1)
    return np.asarray(np.round(np.log2(some) - inside / some, 6))


def _matches(texts: pl.Series, may: Numbers, pattern: str) -> Counts:
    """How often the pattern is found in each text that may hold it; 0 in the others."""
    return _spread(may, texts.filter(pl.Series(may)).str.count_matches(pattern))


def _lengths(texts: pl.Series, may: Numbers, pattern: str) -> Counts:
    """Bytes that the pattern covers in each text that may hold it; 0 in the others."""
    found = texts.filter(pl.Series(may)).str.extract_all(pattern)
    return _spread(may, found.list.eval(pl.element().str.len_bytes().cast(pl.Int64)).list.sum())


def _spread(may: Numbers, found: pl.Series) -> Counts:
    counts = np.zeros(len(may), np.int64)
    counts[may] = found.fill_null(0).to_numpy()
    return counts


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole).otherwise(0.0).cast(pl.Float32)


_AT = np.arange(256)
_TEXT = _AT[(_AT < 0x80) | (_AT > 0xBF)]  # the first byte of each character
_LETTER = (_AT >= 0x80) | ((_AT | 32) >= 97) & ((_AT | 32) <= 122)
_MEMBERS: Mapping[str, Sequence[int]] = {
    "chars": _TEXT.tolist(),
    "spaces": [9, 10, 13, 32],
    "symbols": [ord(c) for c in "#$%&*+/<>@[\\]^_`{}~="],
    "capitals": range(65, 91),
    "letters": _TEXT[_LETTER[_TEXT]].tolist(),
    "controls": [*range(9), 11, 12, *range(14, 32), 127],
}
_CLASSES = np.zeros((256, len(_MEMBERS)))
for _column, _members in enumerate(_MEMBERS.values()):
    _CLASSES[list(_members), _column] = 1
_NOTHING: Mapping[str, Numbers] = dict.fromkeys(
    (*_MEMBERS, "bytes", "entropy", "words", "lettered", "stop_words", "long_words", "lines", "longest_line"),
    np.zeros(0, np.int64),
)
_C_LOG_C = np.arange(4096) * np.log2(np.maximum(np.arange(4096), 1))
_CASE = np.uint64(0x20202020)
_STOP = np.array([int.from_bytes(w.encode() + b" " * (4 - len(w)), "little") for w in STOP_WORDS], np.uint64) | _CASE
