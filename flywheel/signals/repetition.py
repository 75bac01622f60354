"""How much of a reply is said before in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.kinds import Signal
from flywheel.texts.packed import Counts, Hashes, Packed, Words, packed, spread
from flywheel.texts.said import said

TOP, DUPLICATE = (2, 3, 4), (5, 6, 7, 8, 9, 10)
SHARES = (
    *(f"top_{n}gram" for n in TOP),
    *(f"repeated_{n}gram" for n in DUPLICATE),
    "top_line",
    "repeated_lines",
    "repeated_paragraphs",
)
Shares = npt.NDArray[np.float32]
AT_ONCE = 1 << 19
"""Bytes looked at in one go: below this, counting is mostly calling."""


class Repetition(Signal, frozen=True):
    """Gopher's measures of repetition, of the reply: shares from 0 to 1, counted exactly.

    `top_2gram` to `top_4gram`: words covered by the most frequent sequence of so many, where it is there three times or more.
    `repeated_5gram` to `repeated_10gram`: words covered by sequences that were there before. `top_line`: lines that are the most
    frequent one, where it is there three times or more; `repeated_lines`: lines that were there before, both of the lines with
    more than 20 characters; `repeated_paragraphs` likewise. `reply_terms`: words, each Chinese or Japanese character being one.
    """

    use: Literal["repetition"] = "repetition"
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    gives: ClassVar[Mapping[str, Any]] = {"reply_terms": pl.Int32} | dict.fromkeys(SHARES, pl.Float32)

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = said(rows)
        distinct, which = np.unique(read.replies, return_inverse=True)
        parts = [_repeated(p) for p in packed(read.texts.gather(distinct), AT_ONCE)]
        columns = {
            c: pl.Series(np.concatenate([p[c] for p in parts])[which] if parts else [], dtype=t)
            for c, t in self.gives.items()
        }
        return pl.DataFrame({"id": read.ids, **columns}).lazy()


def _repeated(texts: Packed) -> dict[str, npt.NDArray[Any]]:
    words = texts.words
    counts = words.per_text()
    found: dict[str, npt.NDArray[Any]] = {"reply_terms": counts.astype(np.int32)}
    # Only where n words stood before can n + 1 have stood before: after the first pass few places are left.
    places, keys = _pairs(words)
    for n in range(2, DUPLICATE[-1] + 1):
        if n > 2:
            places, keys = _longer(words, places, keys, n)
        again = _Same.of(keys)
        told = _top(words, places, again, n) if n in TOP else _covered(words, places, again, n)
        found[f"{'top' if n in TOP else 'repeated'}_{n}gram"] = _share(told, counts)
        places, keys = places[again.order], keys[again.order]
    lines = _Units.of_lines(words)
    found["top_line"], found["repeated_lines"] = _units(words, lines)
    found["repeated_paragraphs"] = _units(words, lines.paragraphs())[1]
    return found


@dataclass(frozen=True, slots=True)
class _Same:
    """Keys that are there twice or more."""

    order: Counts
    """Their places, equal ones beside each other."""
    starts: Counts
    """Where in `order` each run of equal ones begins."""
    sizes: Counts

    @classmethod
    def of(cls, keys: Hashes) -> "_Same":
        order = np.argsort(keys)
        ranked = keys[order]
        edges = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else order
        sizes = np.diff(edges, append=len(ranked))
        several = sizes > 1
        kept = sizes[several]
        return cls(order[np.repeat(several, sizes)], np.cumsum(kept) - kept, kept)


def _pairs(words: Words) -> tuple[Counts, Hashes]:
    """The places where two words begin that may begin elsewhere in the same text too, and a hash of both and of their text.

    Each place writes its number where its hash falls; who does not find it there again shares the place with another.
    """
    if len(words.starts) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    text = words.owner.astype(np.uint64)
    keys = words.hashes[:-1] * _PRIME + words.hashes[1:] + text[:-1] * _OF_TEXT
    slots = (keys >> np.uint64(64 - _SLOTS)).astype(np.int64)
    numbers = np.arange(len(keys), dtype=np.int32)
    table = np.empty(1 << _SLOTS, np.int32)
    table[slots] = numbers
    there = table[slots]
    lost = there != numbers
    shared = lost.copy()
    shared[there[lost]] = True
    places = np.flatnonzero(shared & (text[:-1] == text[1:]))
    return places, keys[places]


def _longer(words: Words, places: Counts, keys: Hashes, n: int) -> tuple[Counts, Hashes]:
    """The places where n words of one text begin, of those where n - 1 do, and a hash of these n words and their text."""
    inside = places + n <= words.until(places)
    places, keys = places[inside], keys[inside]
    return places, keys * _PRIME + words.hashes[places + n - 1]


def _top(words: Words, places: Counts, again: _Same, n: int) -> npt.NDArray[np.float64]:
    """The words of each text that its most frequent n words in a row make up."""
    covered = np.zeros(len(words.texts.starts) - 1)
    often = again.sizes > 2
    text = words.owner[places[again.order[again.starts[often]]]]
    np.maximum.at(covered, text, (again.sizes[often] * n).astype(np.float64))
    return covered


def _covered(words: Words, places: Counts, again: _Same, n: int) -> npt.NDArray[np.float64]:
    """The words of each text that belong to n words in a row that were there before."""
    if not len(again.order):
        return np.zeros(len(words.texts.starts) - 1)
    there = places[again.order]
    first = np.repeat(np.minimum.reduceat(there, again.starts), again.sizes)
    later = np.sort(there[there != first])
    fresh = np.minimum(np.diff(later, append=later[-1] + n), n)
    return np.asarray(np.bincount(words.owner[later], fresh, len(words.texts.starts) - 1), np.float64)


@dataclass(frozen=True, slots=True)
class _Units:
    """Lines or paragraphs with a word, in order: their first and last word, and which line of all each begins with."""

    first: Counts
    last: Counts
    line: Counts
    text: Counts

    @classmethod
    def of_lines(cls, words: Words) -> "_Units":
        begins = np.searchsorted(words.starts, words.texts.lines)
        ends = np.append(begins[1:], len(words.starts))
        line = np.flatnonzero(begins < ends)
        first = begins[line]
        return cls(first, ends[line] - 1, line, words.owner[first])

    def paragraphs(self) -> "_Units":
        """Lines with no empty one between them. A paragraph ends with its text, too."""
        new = np.flatnonzero((np.diff(self.line, prepend=-2) > 1) | (np.diff(self.text, prepend=-1) != 0))
        last = self.last[np.append(new[1:], len(self.first)) - 1] if len(new) else self.last[:0]
        return _Units(self.first[new], last, self.line[new], self.text[new])


def _units(words: Words, units: _Units) -> tuple[Shares, Shares]:
    """Of the lines or paragraphs of more than 20 characters: the share of the most frequent, and of those that were there before."""
    texts = len(words.texts.starts) - 1
    long = _characters(words, units.first, units.last) > 20
    first, last, text = units.first[long], units.last[long], units.text[long]
    # Who differs in its first word, its last or their number is another.
    ends = words.hashes[first] * _PRIME + words.hashes[last]
    may = _Same.of(spread(ends ^ (text << 32 | last - first).astype(np.uint64))).order
    again = _Same.of(_content(words, first[may], last[may]) ^ spread(text[may].astype(np.uint64)))
    top, more = np.zeros(texts), np.zeros(texts)
    kinds = text[may[again.order[again.starts]]]
    np.maximum.at(top, kinds, np.where(again.sizes > 2, again.sizes, 0).astype(np.float64))
    np.add.at(more, kinds, (again.sizes - 1).astype(np.float64))
    every = np.bincount(text, minlength=texts)
    return _share(top, every), _share(more, every)


def _content(words: Words, first: Counts, last: Counts) -> Hashes:
    """A hash of all words from the first to the last."""
    sizes = last - first + 1
    starts = np.cumsum(sizes) - sizes
    nth = np.arange(sizes.sum()) - np.repeat(starts, sizes)
    said = spread(words.hashes[np.repeat(first, sizes) + nth] ^ (nth.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)))
    return np.add.reduceat(said, starts) if len(said) else said


def _characters(words: Words, first: Counts, last: Counts) -> Counts:
    """Characters from the start of one word to the end of another."""
    rest = words.texts.rest
    spans = words.ends[last] - words.starts[first]
    return (
        spans - (np.searchsorted(rest, words.ends[last]) - np.searchsorted(rest, words.starts[first]))
        if len(rest)
        else spans
    )


def _share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Shares:
    return np.asarray(np.minimum(part / np.maximum(whole, 1), 1.0), np.float32)


_PRIME = np.uint64(0x9E3779B97F4A7C15)
_OF_TEXT = np.uint64(0xD1B54A32D192ED03)
_SLOTS = 19
"""Bits of a place in the table of pairs: several times as many places as there are words in one go."""
