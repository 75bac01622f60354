"""Pairs of sets that are alike: proposed by shared keys, verified hash by hash, joined into groups.

No bucket of equal keys is cut short. A large one is bearable because a pair is compared only where that can matter: where
the sizes, and a sketch of each set, allow the threshold; and where it would join two groups or raise the best similarity of
one of its sides. What is left out provably changes neither, so neither depends on the order in which pairs come up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flywheel.shingles import U32, U64, Index, Sets

F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PAIRS = 1 << 18
"""Pairs looked at in one go: bounds the memory."""
VALUES = 1 << 18
"""Hashes compared in one go."""
BITS = 512
"""Of the sketch of a set that bounds its similarity to others."""


class Pairs(NamedTuple):
    """Places of two sets each, the smaller first."""

    left: Index
    right: Index


class Edges(NamedTuple):
    """Pairs of places and the similarity of the two sets."""

    left: Index
    right: Index
    similarity: F64


@dataclass(slots=True)
class Search:
    """Where pairs are looked for: among the first `new` sets, and between these and all others.

    The first `new` are sorted by size, and so are the others. Counts what it did.
    """

    keys: U32
    """One row for each set, one column for each band."""
    kinds: U64
    """Only sets of one kind are paired."""
    sizes: Index
    threshold: float
    new: int
    candidates: int = 0
    """Pairs that share a key and whose sizes allow the threshold."""
    verified: int = 0
    """Of these, compared hash by hash; the others were proved not to matter."""
    pairs: int = 0
    """Of these, at or above the threshold."""
    largest_bucket: int = 0
    """Sets that share one key."""

    def touched(self) -> Flags:
        """Which sets have a candidate: no other set needs to be read."""
        found = np.zeros(len(self.sizes), dtype=bool)
        for band in range(self.keys.shape[1]):
            for ranges in self._ranges(band):
                some = ranges.end > ranges.start
                found[ranges.owners[some]] = True
                ends = np.zeros(len(ranges.members) + 1, dtype=np.int64)
                np.add.at(ends, ranges.start[some], 1)
                np.add.at(ends, ranges.end[some], -1)
                found[ranges.members[np.cumsum(ends)[:-1] > 0]] = True
        return found

    def edges(self, sets: Sets, of: Index) -> Edges:
        """Verified pairs enough to know every group and every set's best similarity, each with its own exact one.

        `of`: which of `sets` each place has; any number where it was not touched.
        """
        sketches = _sketches(sets)
        groups, best = Groups(len(self.sizes)), np.zeros(len(self.sizes))
        kept: list[Edges] = []
        for left, right in self._candidates():
            self.candidates += len(left)
            bound = _bound(sketches, self.sizes, left, right, of)
            order = np.argsort(-bound, kind="stable")
            order = order[bound[order] >= self.threshold]
            while len(order):
                a, b = left[order], right[order]
                apart = groups.of(a) != groups.of(b)
                matters = np.flatnonzero(apart | (bound[order] > np.minimum(best[a], best[b])))
                weight = np.cumsum(self.sizes[a[matters]] + self.sizes[b[matters]])
                now = matters[: max(1, int(np.searchsorted(weight, VALUES)))]
                order = order[matters[len(now) :]]
                a, b = a[now], b[now]
                similarity = jaccard(sets, of[a], of[b])
                hit = similarity >= self.threshold
                self.verified += len(a)
                self.pairs += int(hit.sum())
                a, b, similarity = a[hit], b[hit], similarity[hit]
                joins = groups.of(a) != groups.of(b)
                groups.join(a, b)
                np.maximum.at(best, a, similarity)
                np.maximum.at(best, b, similarity)
                useful = joins | (similarity >= np.minimum(best[a], best[b]))
                kept.append(Edges(a[useful], b[useful], similarity[useful]))
        if not kept:
            return Edges(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        return Edges(*(np.concatenate(column) for column in zip(*kept, strict=True)))

    def _candidates(self) -> Iterator[Pairs]:
        """Pairs with an equal key, each once, in batches."""
        for band in range(self.keys.shape[1]):
            for ranges in self._ranges(band):
                for left, right in ranges.pairs():
                    for earlier in range(band):  # most have met in the first bands
                        fresh = self.keys[left, earlier] != self.keys[right, earlier]
                        left, right = left[fresh], right[fresh]
                    alike = self.kinds[left] == self.kinds[right]
                    yield Pairs(left[alike], right[alike])

    def _ranges(self, band: int) -> Iterator["_Ranges"]:
        each = self.keys[:, band].astype(np.uint64) << np.uint64(32) | np.arange(len(self.sizes), dtype=np.uint64)
        mine, others = np.sort(each[: self.new]), np.sort(each[self.new :])
        mine_sizes, other_sizes = self.sizes[: self.new], self.sizes[self.new :]
        several = mine[_in_company(mine)]
        if len(several):
            owners = _places(several)
            high = np.searchsorted(mine_sizes, self._largest(mine_sizes), side="right")[owners]
            end = np.searchsorted(several, _with_place(several, high))
            yield self._counted(_Ranges(owners, owners, np.arange(len(owners)) + 1, end))
        if len(others):
            others = others[np.isin(others >> np.uint64(32), mine >> np.uint64(32))]
            mine = mine[np.isin(mine >> np.uint64(32), others >> np.uint64(32))]
            owners = _places(mine)
            low = np.searchsorted(other_sizes, np.ceil(mine_sizes * self.threshold - 1e-9))[owners]
            high = np.searchsorted(other_sizes, self._largest(mine_sizes), side="right")[owners]
            start = np.searchsorted(others, _with_place(mine, low + self.new))
            end = np.searchsorted(others, _with_place(mine, high + self.new))
            yield self._counted(_Ranges(owners, _places(others), start, end))

    def _largest(self, sizes: Index) -> F64:
        """The size from which on a set is too large for one of these."""
        return np.floor(sizes / self.threshold + 1e-9)

    def _counted(self, ranges: "_Ranges") -> "_Ranges":
        self.largest_bucket = max(self.largest_bucket, int((ranges.end - ranges.start).max(initial=0)) + 1)
        return ranges


@dataclass(slots=True)
class _Ranges:
    """Each of `owners` is to be paired with members[start:end]."""

    owners: Index
    members: Index
    start: Index
    end: Index

    def pairs(self) -> Iterator[Pairs]:
        """The pairs, about PAIRS at a time."""
        many = np.maximum(self.end - self.start, 0)
        total = np.cumsum(many)
        first = 0
        while first < len(total) and total[-1] > (done := int(total[first - 1]) if first else 0):
            last = max(first + 1, int(np.searchsorted(total, done + PAIRS, side="right")))
            part = many[first:last]
            at = np.arange(part.sum()) + np.repeat(self.start[first:last] - np.cumsum(part) + part, part)
            yield Pairs(np.repeat(self.owners[first:last], part), self.members[at])
            first = last


def _places(each: U64) -> Index:
    return (each & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _with_place(each: U64, place: Index) -> U64:
    return (each & np.uint64(0xFFFFFFFF00000000)) + place.astype(np.uint64)


def _in_company(each: U64) -> Flags:
    """Which share their key with a neighbour in the sorted order."""
    same = each[1:] >> np.uint64(32) == each[:-1] >> np.uint64(32)
    return np.concatenate([[False], same]) | np.concatenate([same, [False]]) if len(each) else np.empty(0, bool)


def _sketches(sets: Sets) -> U64:
    """BITS bits of each set: how often hashes fall on a bit, modulo 2. What two sets have in common cancels out."""
    parts = []
    for first in range(0, len(sets.sizes), 256):
        bounds = sets.bounds[first : first + 257]
        many = len(bounds) - 1
        owner = np.repeat(np.arange(many) * BITS, np.diff(bounds))
        bit = owner + (sets.values[bounds[0] : bounds[-1]] & np.uint32(BITS - 1))
        odd = (np.bincount(bit, minlength=many * BITS) & 1).astype(np.uint8)
        parts.append(np.packbits(odd.reshape(many, BITS), axis=1).view(np.uint64))
    return np.concatenate(parts) if parts else np.empty((0, BITS // 64), np.uint64)


def _bound(sketches: U64, sizes: Index, left: Index, right: Index, of: Index) -> F64:
    """What the similarity of each pair cannot exceed: each bit that differs is a hash that only one of them has."""
    differ = np.bitwise_count(sketches[of[left]] ^ sketches[of[right]]).sum(axis=1, dtype=np.int64)
    both = sizes[left] + sizes[right]
    shared = np.minimum((both - differ) // 2, np.minimum(sizes[left], sizes[right]))
    bound: F64 = shared / (both - shared)
    return bound


def jaccard(sets: Sets, left: Index, right: Index) -> F64:
    """Exact similarity of each pair of sets: the hashes they share over the hashes they have."""
    sizes = sets.sizes
    shared = np.zeros(len(left), dtype=np.int64)
    weight = np.cumsum(sizes[left] + sizes[right])
    first = 0
    while first < len(left):
        done = int(weight[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(weight, done + 2 * VALUES, side="right")))
        each = np.concatenate([_numbered(sets, left[first:last]), _numbered(sets, right[first:last])])
        each.sort()
        twice = each[1:][each[1:] == each[:-1]] >> np.uint64(32)
        shared[first:last] = np.bincount(twice.astype(np.int64), minlength=last - first)
        first = last
    similarity: F64 = shared / np.maximum(sizes[left] + sizes[right] - shared, 1)
    return similarity


def _numbered(sets: Sets, which: Index) -> U64:
    """The hashes of these sets, each below its place among them."""
    sizes = sets.sizes[which]
    at = np.arange(sizes.sum()) + np.repeat(sets.bounds[which] - np.cumsum(sizes) + sizes, sizes)
    numbers = np.repeat(np.arange(len(which), dtype=np.uint64), sizes)
    numbered: U64 = numbers << np.uint64(32) | sets.values[at]
    return numbered


class Groups:
    """Which places belong together; a group is named by its smallest place."""

    def __init__(self, count: int) -> None:
        self._above = np.arange(count)

    def of(self, places: Index) -> Index:
        """The group of each place."""
        top = self._above[places]
        while ((higher := self._above[top]) != top).any():
            top = higher
        self._above[places] = top
        return top

    def join(self, left: Index, right: Index) -> None:
        """Make the groups of each pair one."""
        while len(left):
            one, other = self.of(left), self.of(right)
            apart = one != other
            left, right, one, other = left[apart], right[apart], one[apart], other[apart]
            np.minimum.at(self._above, np.maximum(one, other), np.minimum(one, other))
