"""Shingles: short sequences of words, hashed; what texts are compared by when no model is asked.

Texts are read as bytes, a block of them at a time, and no string is made of a word. All hashes are arithmetic written down
here, so what is stored stays comparable in every process and with every version of the libraries.

    for block in blocks(texts):                 the words of some of the texts, as hashes
        runs, owner = block.runs(5)             the hash of each 5 words in a row, and whose they are
    Words.of(texts).joined(places)              those of texts put together of others, which are read once
    sets = shingle_sets(texts, 5)               of each text, its distinct shingles
    keys = band_keys(sets, bands=32, rows=4)    texts that share a key are worth comparing
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b, sha256
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]

AT_ONCE = 1 << 18
"""Bytes of text looked at in one go: what is made of them stays near the processor."""
WORDS = AT_ONCE // 8
"""Words put together in one go: as many bytes of hashes."""
LONGEST = 64
"""Bytes of a word; a longer one (a blob, a line without spaces) is hashed by itself."""
EMPTY = np.uint32(0xFFFFFFFF)
TRIES = 8

_ASCII = bytes(0 if not chr(b).isalnum() and b < 128 else ord(chr(b).lower()) if b < 128 else b for b in range(256))
_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)
_BASE = 0x9E3779B97F4A7C15
_BACK = pow(_BASE, -1, 1 << 64)
_APART = ((0x80, 0xBF), (0x2000, 0x206F), (0x3000, 0x303F), (0xFF00, 0xFF0F), (0xFF1A, 0xFF20))
"""Punctuation and white space beyond ASCII."""
_ALONE = (
    (0x1100, 0x11FF),
    (0x3041, 0x30FF),
    (0x3131, 0x318E),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0x20000, 0x3134F),
)
"""Chinese, Japanese and Korean characters, each a word."""


@dataclass(frozen=True, slots=True)
class Block:
    """The words of some texts in a row: their hashes end to end, and where each text's begin (and the last one's end)."""

    first: int
    """Place of the first of these texts among all."""
    words: U64
    bounds: Index
    sums: U64
    """Running sum of a polynomial over the words, modulo 2^64."""

    @staticmethod
    def of(first: int, words: U64, bounds: Index) -> "Block":
        """The block of these words."""
        sums = np.zeros(len(words) + 1, dtype=np.uint64)
        np.cumsum(words * _powers(_BACK, len(words))[: len(words)], out=sums[1:])
        return Block(first, words, bounds, sums)

    def runs(self, size: int) -> tuple[U64, Index]:
        """Hash of every `size` words in a row of one text, and the place of that text in the block.

        The cost does not depend on the size.
        """
        counts = np.diff(self.bounds) - (size - 1)
        rolled = self.rolled(size)
        owner = np.repeat(np.arange(len(counts)), np.maximum(counts, 0))
        if size > 1 and len(rolled):
            inside = np.ones(len(self.words) + 1, dtype=np.int8)
            for step in range(1, size):  # a run that begins here would end in another text
                inside[np.maximum(self.bounds[1:] - step, self.bounds[:-1])[np.diff(self.bounds) > 0]] = 0
            rolled = rolled[inside[: len(rolled)].view(bool)]
        return rolled, owner

    def wholes(self, size: int) -> tuple[U64, Index]:
        """Hash of all words of each text that has some, but fewer than `size`, and the place of that text in the block."""
        counts = np.diff(self.bounds)
        short = np.flatnonzero((counts > 0) & (counts < size))
        begin, end = self.bounds[short], self.bounds[short + 1]
        return (self.sums[end] - self.sums[begin]) * _powers(_BASE, len(self.sums))[begin], short

    def rolled(self, size: int) -> U64:
        """Hash of the `size` words from each place on, even where they are of two texts; `within` tells."""
        if len(self.words) < size:
            return np.empty(0, dtype=np.uint64)
        rolled: U64 = self.sums[size:] - self.sums[:-size]
        rolled *= _powers(_BASE, len(self.sums))[: len(rolled)]  # takes the place out of the difference
        return rolled

    def within(self, places: Index, size: int) -> tuple[Index, Index]:
        """Of these places, those whose next `size` words are all of one text: which text, and the place in it."""
        owner = np.searchsorted(self.bounds, places, side="right") - 1
        whole = places + size <= self.bounds[owner + 1]
        return owner[whole], (places - self.bounds[owner])[whole]


def _powers(of: int, count: int) -> U64:
    """At least `count` powers, from the 0th."""
    return _all_powers(of, 1 << count.bit_length())


@lru_cache(maxsize=8)
def _all_powers(of: int, count: int) -> U64:
    powers = np.full(count, of, dtype=np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def blocks(texts: pl.Series, at_once: int = AT_ONCE) -> Iterator[Block]:
    """The words of the texts, about `at_once` bytes at a time; a text is never cut. Nulls have none.

    Words are lower-cased runs of letters and digits; punctuation does not count; each Chinese, Japanese and Korean
    character is a word. They are those of `words.words`.
    """
    texts = texts.fill_null("")
    foreign = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    if len(foreign):
        texts = texts.scatter(foreign, texts.gather(foreign).str.to_lowercase())
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64) + 1
    cuts = np.unique(np.searchsorted(np.cumsum(sizes), np.arange(0, int(sizes.sum()), at_once), side="left"))
    for first, last in pairwise([*cuts.tolist(), len(texts)]):
        if first < last:
            yield _block(first, texts[first:last], sizes[first:last])


@dataclass(frozen=True, slots=True)
class Words:
    """The words of many texts: their hashes end to end, and where each text's begin (and the last one's end)."""

    hashes: U64
    bounds: Index

    @staticmethod
    def of(texts: pl.Series) -> "Words":
        """Those that `blocks` reads."""
        read = list(blocks(texts))
        counts = [np.diff(b.bounds) for b in read]
        none = [np.empty(0, np.uint64)]
        return Words(np.concatenate(none + [b.words for b in read]), np.cumsum(np.concatenate([[0], *counts])))

    def __add__(self, others: "Words") -> "Words":
        bounds = np.concatenate([self.bounds, others.bounds[1:] + len(self.hashes)])
        return Words(np.concatenate([self.hashes, others.hashes]), bounds)

    def blocks(self) -> Iterator[Block]:
        """The words of the texts, about as many at a time."""
        cuts = np.unique(np.searchsorted(self.bounds, np.arange(0, len(self.hashes), WORDS), side="left"))
        for first, last in pairwise([*cuts.tolist(), len(self.bounds) - 1]):
            begin, end = self.bounds[first], self.bounds[last]
            yield Block.of(first, self.hashes[begin:end], self.bounds[first : last + 1] - begin)

    def joined(self, which: Index) -> Iterator[Block]:
        """The words of texts that are put together of these, which are said by their places: a row of `which` for each, in blocks."""
        sizes = np.diff(self.bounds)[which]
        weight = np.cumsum(sizes.sum(axis=1) + 1)
        cuts = np.unique(np.searchsorted(weight, np.arange(0, weight[-1] if len(weight) else 0, WORDS), side="left"))
        for first, last in pairwise([*cuts.tolist(), len(which)]):
            each = sizes[first:last].ravel()
            ends = np.cumsum(each)
            at = np.arange(each.sum()) + np.repeat(self.bounds[which[first:last]].ravel() - ends + each, each)
            bounds = np.concatenate([[0], ends[which.shape[1] - 1 :: which.shape[1]]])
            yield Block.of(first, self.hashes[at], bounds)


def _block(first: int, texts: pl.Series, sizes: Index) -> Block:
    # A zero byte ends each text, and stands for all that is no part of a word; the last ones are room to read 8 at a time.
    data = bytearray(b"\0".join([b"", *texts.cast(pl.Binary).to_list(), bytes(16)]).translate(_ASCII))
    text = np.frombuffer(data, dtype=np.uint8)
    begin, end = _edges(text)
    bounds = np.searchsorted(begin, np.concatenate([[0], np.cumsum(sizes)]))
    return Block.of(first, _word_hashes(data, begin, end), bounds.astype(np.int64))


def _edges(text: U8) -> tuple[Index, Index]:
    """Where words begin and end. Clears what is punctuation beyond ASCII."""
    lead = np.flatnonzero(text >= 0xC0)
    length = 2 + (text[lead] >= 0xE0).astype(np.int64) + (text[lead] >= 0xF0)
    kind = _kinds()[_code_points(text, lead, length)]
    apart, alone = np.flatnonzero(kind == 1), np.flatnonzero(kind == 2)
    for byte in range(4):
        text[lead[apart[length[apart] > byte]] + byte] = 0
    word = text != 0
    edge = word[1:] != word[:-1]
    edge[lead[alone] - 1] = edge[lead[alone] + length[alone] - 1] = True
    at = np.flatnonzero(edge) + 1
    if len(alone):  # one word ends where the next begins
        at = np.repeat(at, 1 + (word[at] & word[at - 1]))
    return at[::2], at[1::2]


def _code_points(text: U8, lead: Index, length: Index) -> Index:
    """The code point of each UTF-8 sequence."""
    point = (text[lead] & (0x7F >> length)).astype(np.int64)
    for byte in range(1, 4):
        more = text[lead + byte].astype(np.int64) & 0x3F
        point = np.where(length > byte, point << 6 | more, point)
    return point


@cache
def _kinds() -> U8:
    """Of each code point: 0 part of a word, 1 punctuation, 2 a word by itself."""
    kinds = np.zeros(0x110000, dtype=np.uint8)
    for kind, ranges in ((1, _APART), (2, _ALONE)):
        for first, last in ranges:
            kinds[first : last + 1] = kind
    return kinds


def _word_hashes(data: bytearray, begin: Index, end: Index) -> U64:
    eights = np.ndarray((len(data) - 8,), dtype="<u8", buffer=data, strides=(1,))
    size = end - begin
    hashes = _mixed(eights[begin] & _MASKS[np.minimum(size, 8)])
    more, done = np.flatnonzero(size > 8), 8
    while len(more) and done < LONGEST:
        at = begin[more] + done
        hashes[more] = _mixed(hashes[more] ^ (eights[at] & _MASKS[np.minimum(size[more] - done, 8)]))
        done += 8
        more = more[size[more] > done]
    for word in more.tolist():
        hashes[word] = int.from_bytes(_digest(bytes(data[begin[word] : end[word]]), 8), "little")
    return hashes


def _digest(data: bytes, size: int) -> bytes:
    return blake2b(data, digest_size=size).digest()


def _mixed(values: U64) -> U64:
    """Each value with its bits spread over all 64; no two values become one."""
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(32)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(29)
    return values


@dataclass(frozen=True, slots=True)
class Sets:
    """A set of 32-bit hashes for each text: all of them end to end, each set sorted and without repeats."""

    values: U32
    bounds: Index

    @property
    def sizes(self) -> Index:
        """How many each set has."""
        return np.diff(self.bounds)

    def stored(self) -> pl.Series:
        """The sets as a Binary column, 4 bytes each value."""
        data = self.values.astype("<u4", copy=False).tobytes()
        ends = (self.bounds * 4).tolist()
        return pl.Series([data[a:b] for a, b in pairwise(ends)], dtype=pl.Binary)

    @staticmethod
    def read(stored: pl.Series) -> "Sets":
        """The sets of a column that `stored` made."""
        sizes = stored.bin.size().to_numpy().astype(np.int64) // 4
        values = np.frombuffer(b"".join(stored.to_list()), dtype="<u4").astype(np.uint32, copy=False)
        return Sets(values, np.concatenate([[0], np.cumsum(sizes)]))


def digests(stored: pl.Series) -> pl.Series:
    """A Binary column of 16 bytes, equal where the stored sets are equal; null for an empty set."""
    return pl.Series([sha256(s).digest()[:16] if s else None for s in stored.to_list()], dtype=pl.Binary)


def shingle_sets(texts: pl.Series, size: int, words: Iterable[Block] | None = None) -> Sets:
    """The distinct shingles of `size` words of each text, as hashes. `words`: those of the texts, where they are known.

    A shorter text is one shingle as a whole. Where nothing but punctuation is there, the text without its spaces is; a text
    of spaces has none.
    """
    values, counts = [], []
    for block in blocks(texts) if words is None else words:
        runs, owner = block.runs(size)
        wholes, short = block.wholes(size)
        bare, silent = _bare(texts, block)
        hashes = np.concatenate([runs, wholes, bare]) >> np.uint64(32)
        owners = np.concatenate([owner, short, silent]).astype(np.uint64)
        each = np.sort(owners << np.uint64(32) | hashes)
        if len(each):
            each = each[np.concatenate([[True], each[1:] != each[:-1]])]
        values.append(each.astype(np.uint32))
        counts.append(np.bincount((each >> np.uint64(32)).astype(np.int64), minlength=len(block.bounds) - 1))
    if not values:
        return Sets(np.empty(0, np.uint32), np.zeros(len(texts) + 1, np.int64))
    return Sets(np.concatenate(values), np.concatenate([[0], np.cumsum(np.concatenate(counts))]))


def _bare(texts: pl.Series, block: Block) -> tuple[U64, Index]:
    """A hash for each text of the block that has signs but no words, and its place in the block."""
    silent = np.flatnonzero(np.diff(block.bounds) == 0)
    if not len(silent):
        return np.empty(0, np.uint64), silent
    bare = texts.gather(pl.Series(silent + block.first, dtype=pl.UInt32)).str.replace_all(r"\s+", "").to_list()
    said = [(at, int.from_bytes(_digest(t.encode(), 8), "little")) for at, t in zip(silent, bare, strict=True) if t]
    return np.array([h for _, h in said], dtype=np.uint64), np.array([at for at, _ in said], dtype=np.int64)


def band_keys(sets: Sets, bands: int, rows: int) -> U32:
    """Keys of each set, `bands` of them; two sets of similarity s share a given one with the chance s^rows.

    A row of a band is the smallest hash in one of `bands * rows` ranges of the hashes (one-permutation MinHash). An empty range
    takes that of others, tried in a fixed order; then the smallest under a permutation of its own. So a row of two sets is
    equal with the chance of their similarity, however small they are.
    """
    step = max(1, (AT_ONCE * 2) // (bands * rows * 4))
    parts = [
        _band_keys(sets.values[sets.bounds[a] : sets.bounds[b]], sets.bounds[a : b + 1] - sets.bounds[a], bands, rows)
        for a in range(0, len(sets.bounds) - 1, step)
        for b in (min(a + step, len(sets.bounds) - 1),)
    ]
    return np.concatenate(parts) if parts else np.empty((0, bands), np.uint32)


def _band_keys(values: U32, bounds: Index, bands: int, rows: int) -> U32:
    count = bands * rows
    sizes = np.diff(bounds)
    owner = np.repeat(np.arange(len(sizes)) * count, sizes)
    place = owner + (values.astype(np.uint64) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
    least = np.full(len(sizes) * count, EMPTY, dtype=np.uint32)
    least[place[::-1]] = values[::-1]  # of several values for one place the last is written: the smallest
    _fill(least, values, bounds, count)
    signs = least.reshape(len(sizes), bands, rows).astype(np.uint64)
    keys = np.broadcast_to(np.arange(bands, dtype=np.uint64), (len(sizes), bands))
    for row in range(rows):
        keys = _mixed(keys ^ signs[:, :, row]) + np.uint64(1)
    return (keys >> np.uint64(32)).astype(np.uint32)


def _fill(least: U32, values: U32, bounds: Index, count: int) -> None:
    """Give every empty range of every set a value, unless the set itself is empty."""
    own = least.copy()
    some = np.repeat(np.diff(bounds) > 0, count)
    empty = np.flatnonzero((own == EMPTY) & some)
    for tried in range(TRIES):
        here = empty % count
        found = own[empty - here + _others(count)[tried][here]]
        least[empty] = found
        empty = empty[found == EMPTY]
    text, here = empty // count, empty % count
    sizes = np.diff(bounds)[text]
    for first in range(0, len(empty), 1 << 14):
        part = slice(first, first + (1 << 14))
        ends = np.cumsum(sizes[part])
        if not len(ends):
            continue
        at = np.arange(ends[-1]) + np.repeat(bounds[text[part]] - ends + sizes[part], sizes[part])
        salted = _mixed(
            values[at].astype(np.uint64) ^ (np.repeat(here[part].astype(np.uint64), sizes[part]) << np.uint64(40))
        )
        least[empty[part]] = np.minimum.reduceat(salted >> np.uint64(32), ends - sizes[part]).astype(np.uint32)


@cache
def _others(count: int) -> Index:
    """For each try, the range that each empty one looks into."""
    numbers = np.arange(TRIES * count, dtype=np.uint64) + np.uint64(1)
    return (_mixed(numbers * np.uint64(_BASE)) % np.uint64(count)).astype(np.int64).reshape(TRIES, count)
