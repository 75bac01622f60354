"""Pairs of sets that are alike: proposed by shared keys, verified hash by hash, joined into groups.

What is sought is the groups: the connected components of the graph of all pairs that share a key and reach the threshold.
No bucket of equal keys is cut short. A large one is bearable because a pair whose sets are in one group already is left out
before it is made: it could not change the groups, whatever its similarity. So each set of a bucket is first compared with a
few neighbours, which joins a family of near copies in about as many comparisons as it has members. Where many sets stay
apart, pairs are proposed by their rarest hashes instead: sets that reach the threshold must share one of those.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from flywheel.duplicates.shingles import U32, U64, Index, Sets

F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PAIRS = 1 << 18
"""Pairs looked at in one go: bounds the memory."""
VALUES = 1 << 18
"""Hashes compared in one go."""
BITS = 512
"""Of the sketch of a set that bounds its similarity to others."""
CROWD = 64
"""Partners a set of a bucket may have on average; where they are more, pairs are proposed by rare hashes."""
COUNTED = 22
"""Bits of a hash by which it is told how rare it is."""
FEW = 4096
"""Sets whose hashes are ranked in one go."""
NEAR = 1e-9
"""Leeway of a bound: no pair is lost to rounding."""
LOW = np.uint64(0xFFFFFFFF)
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


class Pairs(NamedTuple):
    """Places of two sets each."""

    left: Index
    right: Index


@dataclass(slots=True)
class Search:
    """Where pairs are looked for: among the first `new` sets, and between these and all others. Counts what it did."""

    keys: U32
    """One row for each set, one column for each band."""
    kinds: U64
    """Only sets of one kind are paired."""
    sizes: Index
    threshold: float
    new: int
    candidates: int = 0
    """Pairs that were looked at: their sizes allow the threshold, and they were not in one group yet."""
    verified: int = 0
    """Of these, compared hash by hash; a sketch of the others rules the threshold out."""
    pairs: int = 0
    """Of these, at or above the threshold."""
    largest_bucket: int = 0
    """Sets that share one key."""
    _order: Index = field(init=False)
    _rank: Index = field(init=False)

    def __post_init__(self) -> None:
        self._order = np.argsort(self.sizes, kind="stable")
        self._rank = np.empty(len(self.sizes), dtype=np.int64)
        self._rank[self._order] = np.arange(len(self.sizes))

    def touched(self) -> Flags:
        """Which sets may have a candidate: no other set needs to be read."""
        found = np.zeros(len(self.sizes), dtype=bool)
        for band in range(self.keys.shape[1]):
            found[self._members(band).place] = True
        return found

    def edges(self, sets: Sets, of: Index) -> Pairs:
        """Verified pairs enough to know every group.

        `of`: which of `sets` each place has; any number where it was not touched.
        """
        joining = _Joining(self, sets, of, _sketches(sets), Groups(len(self.sizes)))
        crowd = np.zeros(len(self.sizes), dtype=bool)
        for band in range(self.keys.shape[1]):
            members = self._members(band)
            self.largest_bucket = max(self.largest_bucket, int(np.bincount(members.bucket).max(initial=0)))
            alone = np.bincount(members.bucket, weights=~crowd[members.place]) > 0
            members = members.of(alone[members.bucket])
            wanted = partial(self._unmet, band, crowd)
            joining.link(members, wanted)
            members = members.of(joining.unsettled(members))
            full = joining.apart(members) > CROWD * np.bincount(members.bucket)
            crowd[members.place[full[members.bucket]]] = True
            members = members.of(~full[members.bucket])
            for left, right in _across(members, members.place < self.new, joining.groups):
                once = left < right
                joining.compare(left[once], right[once], wanted)
        if crowd.any():
            self._rarely(np.flatnonzero(crowd), joining)
        return joining.found()

    def _members(self, band: int) -> "_Members":
        """The sets that share a key of this band with others, one of them new, and are not too large or small for all."""
        each = np.sort(
            self.keys[self._order, band].astype(np.uint64) << np.uint64(32)
            | np.arange(len(self._order), dtype=np.uint64)
        )
        key, place = each >> np.uint64(32), self._order[_low(each)]
        size = self.sizes[place]
        other = (key[1:] != key[:-1]) | (size[:-1] < size[1:] * self.threshold - NEAR)
        # Between two sizes that are near enough all are, so a set with a candidate is near enough to its neighbour.
        first = np.concatenate([[True], other])[: len(place)]
        several = ~(first & np.append(first[1:], True)) if len(place) else first
        bucket, place = np.cumsum(first[several]) - 1, place[several]
        some = np.bincount(bucket, weights=place < self.new) > 0
        return _Members(bucket, place).of(some[bucket])

    def _unmet(self, band: int, crowd: Flags, left: Index, right: Index) -> Flags:
        """Which pairs did not meet in an earlier band, and are not left to their rarest hashes."""
        unmet: Flags = ~(crowd[left] & crowd[right])
        if band:
            some = np.flatnonzero(unmet)
            for earlier in range(band):  # most have met in the first bands
                some = some[self.keys[left[some], earlier] != self.keys[right[some], earlier]]
            unmet[:] = False
            unmet[some] = True
        return unmet

    def _proposed(self, left: Index, right: Index) -> Flags:
        """Which pairs have a new set."""
        return np.minimum(left, right) < self.new

    def shares(self, left: Index, right: Index) -> Flags:
        """Which pairs share a key."""
        shared: Flags = (self.keys[left] == self.keys[right]).any(axis=1)
        return shared

    def _rarely(self, crowd: Index, joining: "_Joining") -> None:
        """Compare those of the crowd that share one of their rarest hashes.

        Of two sets that share n hashes and of all hashes in one order, each has one of the shared n among all but its
        last n - 1. The threshold gives the least n there is: for the smaller of the two by the size of both together.
        """
        crowd = crowd[np.argsort(self._rank[crowd])]
        each = _rarest(joining.sets, joining.of[crowd], self.threshold)
        bucket = np.concatenate([[0], np.cumsum(each[1:] >> np.uint64(32) != each[:-1] >> np.uint64(32))])
        members = _Members(bucket, crowd[_low(each) >> 1])
        smaller = (each & np.uint64(1)).astype(bool)
        some = (np.bincount(bucket) > 1) & (np.bincount(bucket, weights=smaller) > 0)
        members, smaller = members.of(some[bucket]), smaller[some[bucket]]
        joining.link(members, self._proposed)
        unsettled = joining.unsettled(members)
        for left, right in _across(members.of(unsettled), smaller[unsettled], joining.groups):
            once = self._rank[left] < self._rank[right]
            joining.compare(left[once], right[once], self._proposed)


class _Members(NamedTuple):
    """Sets and the bucket of each, sorted by bucket and then by size."""

    bucket: Index
    place: Index

    def of(self, which: Flags) -> "_Members":
        return _Members(self.bucket[which], self.place[which])


@dataclass(slots=True)
class _Joining:
    """Compares pairs and joins those that are alike."""

    search: Search
    sets: Sets
    of: Index
    sketches: U64
    groups: "Groups"
    kept: list[Pairs] = field(default_factory=list)

    def found(self) -> Pairs:
        none = np.empty(0, np.int64)
        return (
            Pairs(*(np.concatenate([none, *column]) for column in zip(*self.kept, strict=True)))
            if self.kept
            else Pairs(none, none)
        )

    def compare(self, left: Index, right: Index, wanted: Callable[[Index, Index], Flags]) -> None:
        """Join the pairs that reach the threshold, of those that are wanted and not in one group yet."""
        for first in range(0, len(left), PAIRS):
            a, b = left[first : first + PAIRS], right[first : first + PAIRS]
            apart = self.groups.of(a) != self.groups.of(b)
            a, b = a[apart], b[apart]
            one, other = self.search.sizes[a], self.search.sizes[b]
            allowed = np.minimum(one, other) >= np.maximum(one, other) * self.search.threshold - NEAR
            allowed &= self.search.kinds[a] == self.search.kinds[b]
            a, b = a[allowed], b[allowed]
            fresh = wanted(a, b)
            self._verify(a[fresh], b[fresh])

    def _verify(self, left: Index, right: Index) -> None:
        search = self.search
        search.candidates += len(left)
        bound = _bound(self.sketches, search.sizes, left, right, self.of)
        order = np.flatnonzero(bound >= search.threshold)
        order = order[np.argsort(-bound[order], kind="stable")]
        order = order[search.shares(left[order], right[order])]
        while len(order):
            order = order[self.groups.of(left[order]) != self.groups.of(right[order])]
            weight = np.cumsum(search.sizes[left[order]] + search.sizes[right[order]])
            now = order[: max(1, int(np.searchsorted(weight, VALUES)))]
            order = order[len(now) :]
            a, b = left[now], right[now]
            hit = jaccard(self.sets, self.of[a], self.of[b]) >= search.threshold
            search.verified += len(a)
            search.pairs += int(hit.sum())
            self.groups.join(a[hit], b[hit])
            self.kept.append(Pairs(a[hit], b[hit]))

    def link(self, members: _Members, wanted: Callable[[Index, Index], Flags]) -> None:
        """Compare each set with the new ones of its bucket that are 1, 2, 4, 8... places larger, until all are in one group.

        So a family of near copies is joined in a few comparisons of each; what stays apart is told by `unsettled`.
        """
        step = 1
        while True:
            members = members.of(self.unsettled(members))
            bucket, place = members
            new = place < self.search.new
            many = np.bincount(bucket, weights=new).astype(np.int64)[bucket]
            if step > many.max(initial=0):
                return
            before: Index = np.cumsum(new) - new
            first: Index = before[np.searchsorted(bucket, bucket)]
            at = before - first + step - ~new
            some = (step <= many) & ((at < many) | ~new)
            partner = place[new][first[some] + at[some] % many[some]]
            self.compare(partner, place[some], wanted)
            step *= 2

    def unsettled(self, members: _Members) -> Flags:
        """Which are in a bucket whose sets are not all of one group."""
        group = self.groups.of(members.place)
        first = np.searchsorted(members.bucket, members.bucket)
        several = np.zeros(members.bucket.max(initial=0) + 1, dtype=bool)
        several[members.bucket[group != group[first]]] = True
        return several[members.bucket]

    def apart(self, members: _Members) -> F64:
        """For each bucket, how often two of its sets are of two groups."""
        each, many = np.unique(_coded(members.bucket, self.groups.of(members.place)), return_counts=True)
        together = np.bincount((each >> 32), weights=many.astype(np.float64) ** 2)
        apart: F64 = np.bincount(members.bucket).astype(np.float64) ** 2 - together
        return apart


def _across(members: _Members, owners: Flags, groups: "Groups") -> Iterator[Pairs]:
    """Pairs of an owner and another set of its bucket that is of another group, in batches. Two owners come up twice.

    No pair of one group is made.
    """
    code = _coded(members.bucket, groups.of(members.place))
    order = np.argsort(code, kind="stable")
    code, place, bucket = code[order], members.place[order], members.bucket[order]
    owner = np.flatnonzero(owners[order])
    first, last = (np.searchsorted(bucket, bucket[owner], side=side) for side in SIDES)
    start, end = (np.searchsorted(code, code[owner], side=side) for side in SIDES)
    at = np.argsort(np.concatenate([place[owner]] * 2), kind="stable")  # so that a pair of many buckets comes up once
    start, end = np.concatenate([first, end])[at], np.concatenate([start, last])[at]
    yield from _pairs(np.concatenate([place[owner]] * 2)[at], place, start, end)


def _pairs(owners: Index, members: Index, start: Index, end: Index) -> Iterator[Pairs]:
    """Each of `owners` (sorted) with members[start:end], each pair once, about PAIRS at a time."""
    ends = np.flatnonzero(np.append(owners[1:] != owners[:-1], True)) + 1
    total = np.cumsum(end - start)[ends - 1] if len(owners) else np.empty(0, np.int64)
    first = 0
    while first < len(total) and total[-1] > (done := int(total[first - 1]) if first else 0):
        last = max(first + 1, int(np.searchsorted(total, done + PAIRS, side="right")))
        some = slice(ends[first - 1] if first else 0, ends[last - 1])
        many = end[some] - start[some]
        at = np.arange(many.sum()) + np.repeat(start[some] - np.cumsum(many) + many, many)
        code = np.sort(_coded(np.repeat(owners[some], many), members[at]))
        code = code[np.append(code[1:] != code[:-1], True)]
        yield Pairs(code >> 32, code & int(LOW))
        first = last


def _coded(high: Index, low: Index) -> Index:
    coded: Index = high << 32 | low
    return coded


def _low(each: U64) -> Index:
    return (each & LOW).astype(np.int64)


def _rarest(sets: Sets, which: Index, threshold: float) -> U64:
    """The rarest hashes of these sets (sorted by size), those that one which is alike must share, and whose they are.

    Above, the hash; below, the place of the set among these, and in the last bit whether the hash is among the rarest too
    of those that a set no smaller must share. Sorted.
    """
    often = np.zeros(1 << COUNTED, dtype=np.int64)
    parts = [which[first : first + FEW] for first in range(0, len(which), FEW)]
    for part in parts:
        often += np.bincount((_numbered(sets, part) & LOW) >> (32 - COUNTED), minlength=1 << COUNTED)
    # How rare, in steps of a tenth: all that counts is that it is the same for all, and finer steps take more room.
    rare = (8 * np.log2(often + 1)).astype(np.uint64)
    found = []
    for number, part in enumerate(parts):
        each = _numbered(sets, part)
        owner, value = each >> np.uint64(32), each & LOW
        each = np.sort(owner << np.uint64(40) | rare[value >> np.uint64(32 - COUNTED)] << np.uint64(32) | value)
        sizes = sets.sizes[part]
        at = np.arange(len(each)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        spare = [
            np.repeat(sizes - np.ceil(sizes * share - NEAR), sizes)
            for share in (threshold, 2 * threshold / (1 + threshold))
        ]
        place = (each >> np.uint64(40)) + np.uint64(number * FEW)
        told = (each & LOW) << np.uint64(32) | place << np.uint64(1) | (at <= spare[1]).astype(np.uint64)
        found.append(told[at <= spare[0]])
    return np.sort(np.concatenate(found))


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
