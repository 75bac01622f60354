"""Many texts as one array of bytes, so that what is counted of each is counted of all at once.

Words are runs of anything but white space; Chinese characters and Japanese kana are words of their own, for nothing parts them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

AT_ONCE = 1 << 17
"""Bytes packed together; a longer text is alone."""
_BLOCK, _BLOCKS = 8, 8
"""A word is hashed in blocks of eight bytes; one of more than eight blocks by BLAKE2."""


@dataclass(frozen=True)
class Packed:
    """Texts end to end, each followed by a newline."""

    data: Bytes
    starts: Counts
    """Where each text begins, and the end of the last."""

    @cached_property
    def histogram(self) -> Counts:
        """How often each byte occurs in each text, the newline behind it left out; one row of 256 for each text."""
        sizes = np.diff(self.starts)
        cells = np.repeat(np.arange(len(sizes), dtype=np.int64) << 8, sizes)
        cells |= self.data
        counts = np.bincount(cells, minlength=len(sizes) << 8).reshape(-1, 256)
        counts[:, 10] -= 1
        return counts

    @cached_property
    def runs(self) -> Counts:
        """How many runs of anything but white space each text has."""
        space = np.frombuffer(self.data.tobytes().translate(_SPACES), np.uint8)
        ends = np.flatnonzero(space[1:] > space[:-1])
        return np.diff(np.searchsorted(ends, self.starts))

    @cached_property
    def words(self) -> "Words":
        """The words of all texts, in order."""
        kind = np.frombuffer(self.data.tobytes().translate(_KINDS), np.uint8)
        held = kind != _SPACE
        # Every text ends with white space, so the places where it begins or ends are ends and starts by turns.
        edges = np.flatnonzero(held[1:] != held[:-1]) + 1
        edges = np.concatenate([np.zeros(1, np.int64), edges]) if held[:1].any() else edges
        starts, ends = edges[::2], edges[1::2]
        leads = np.flatnonzero(kind == _LEAD)  # each begins a character of three bytes, which is a word
        if not len(leads):
            return Words(self, starts, ends)
        cuts = np.unique(np.concatenate([leads[1:] if leads[0] == 0 else leads, leads + 3]))
        cuts = cuts[held[cuts] & held[cuts - 1]]
        starts, ends = (np.insert(places, np.searchsorted(places, cuts), cuts) for places in (starts, ends))
        return Words(self, starts, ends)

    @cached_property
    def rest(self) -> Counts:
        """Where the bytes of characters lie that are not their first."""
        return np.flatnonzero((self.data & 0xC0) == 0x80)

    @cached_property
    def lines(self) -> Counts:
        """Where each line of each text begins; the first of a text is where the text begins."""
        return np.concatenate([np.zeros(1, np.int64), np.flatnonzero(self.data[:-1] == 10) + 1])


@dataclass(frozen=True)
class Words:
    """Where the words of packed texts lie."""

    texts: Packed
    starts: Counts
    ends: Counts

    @cached_property
    def first(self) -> Counts:
        """The first word of each text, and how many words there are."""
        return np.searchsorted(self.starts, self.texts.starts)

    @cached_property
    def owner(self) -> Counts:
        """The text each word is of."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def until(self, which: Counts) -> Counts:
        """The word after the last of the text that each of some words is of."""
        return self.first[self.owner[which] + 1]

    @cached_property
    def lengths(self) -> Counts:
        """Bytes of each word."""
        return self.ends - self.starts

    def per_text(self, weights: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """How many words each text has, or the sum of a number of each word."""
        if weights is None:
            return np.diff(self.first)
        return np.bincount(self.owner, weights, minlength=len(self.texts.starts) - 1)

    def heads(self, which: Counts) -> Hashes:
        """The first eight bytes of some of the words as a number; zeros where the word is shorter."""
        return self._block(self.starts[which], np.minimum(self.lengths[which], _BLOCK))

    @cached_property
    def hashes(self) -> Hashes:
        """64 bits of each word, the same in every process."""
        whole = spread(self._block(self.starts, np.minimum(self.lengths, _BLOCK)) ^ self.lengths.astype(np.uint64))
        for block in range(1, _BLOCKS):
            more = np.flatnonzero(self.lengths > block * _BLOCK)
            if not len(more):
                return whole
            at = self.starts[more] + block * _BLOCK
            whole[more] = spread(whole[more] ^ self._block(at, np.minimum(self.ends[more] - at, _BLOCK)))
        for word in np.flatnonzero(self.lengths > _BLOCKS * _BLOCK).tolist():
            text = self.texts.data[self.starts[word] : self.ends[word]].tobytes()
            whole[word] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
        return whole

    def _block(self, at: Counts, sizes: Counts) -> Hashes:
        """Up to eight bytes from each place."""
        value = self._windows[at]
        return value & _MASKS[sizes]

    @cached_property
    def _windows(self) -> Hashes:
        data = np.concatenate([self.texts.data, np.zeros(_BLOCK, np.uint8)])
        return np.lib.stride_tricks.as_strided(data.view(np.uint8), (len(data) - 7, 8), (1, 1)).view("<u8")[:, 0]


def packed(texts: pl.Series, at_once: int = AT_ONCE) -> Iterator[Packed]:
    """The texts, about `at_once` bytes at a time, in order. Nulls are empty texts."""
    texts = texts.fill_null("")
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64) + 1
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    at = 0
    while at < len(sizes):
        end = max(at + 1, int(np.searchsorted(starts, starts[at] + at_once, side="right")) - 1)
        joined = texts.slice(at, end - at).str.join("\n").cast(pl.Binary).item() + b"\n"
        yield Packed(np.frombuffer(joined, np.uint8), starts[at : end + 1] - starts[at])
        at = end


def spread(values: Hashes) -> Hashes:
    """Spread the bits of each value over all 64 (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


_SPACE, _OTHER, _LEAD = 0, 1, 2
_SPACES = bytes(byte in (9, 10, 13, 32) for byte in range(256))
_LEADS = range(0xE3, 0xEA)
"""The first of three bytes: kana and Chinese characters."""
_KINDS = bytes(_SPACE if _SPACES[byte] else _LEAD if byte in _LEADS else _OTHER for byte in range(256))
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(_BLOCK + 1)], np.uint64)
