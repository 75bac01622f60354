"""Which vectors are near each other: exact cosines, computed a block at a time.

A pair is looked at in a few dimensions first. Turned to its main directions, the part of a cosine that lies beyond the first
few can add no more than the product of the two lengths that are left there. So what the first look leaves out is surely
below the threshold, and what remains is computed in full: the answer is that of comparing every pair.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

BLOCK = 2048
"""Vectors compared with as many others at a time: bounds the memory."""
PAIRS = 1 << 16
"""Pairs computed in full at a time."""
SLACK = 1e-3
"""What 32-bit products may be off, and more."""
ENERGY = 0.7
"""Share of all squared length that the first look sees: then what is left out of unrelated pairs stays below a threshold."""


class Near(NamedTuple):
    """Pairs of vectors by place, and their cosines."""

    left: Index
    right: Index
    cosine: F64


def near_pairs(vectors: F32, threshold: float) -> Iterator[Near]:
    """Every pair of vectors (of length 1) whose cosine is at least `threshold`, left before right, each once."""
    first_look = _shortened(vectors)
    for top in range(0, len(vectors), BLOCK):
        for side in range(top, len(vectors), BLOCK):
            at_most = first_look[top : top + BLOCK] @ first_look[side : side + BLOCK].T
            a, b = np.nonzero(at_most >= threshold - SLACK)
            a, b = a + top, b + side
            once = a < b
            a, b = a[once], b[once]
            for start in range(0, len(a), PAIRS):
                left, right = a[start : start + PAIRS], b[start : start + PAIRS]
                exact = cosines(vectors, left, vectors, right)
                hit = exact >= threshold
                if hit.any():
                    yield Near(left[hit], right[hit], exact[hit])


def cosines(some: F32, at: Index, others: F32, there: Index) -> F64:
    """The cosine of each pair; the same whatever is computed with it."""
    product: F64 = (some[at].astype(np.float64) * others[there]).sum(axis=1)
    return product.round(6)


def nearest(vectors: F32, among: F32) -> tuple[Index, F64]:
    """For each vector the place of the nearest among others, the first of equals, and its cosine."""
    place, best = np.zeros(len(vectors), dtype=np.int64), np.zeros(len(vectors))
    for top in range(0, len(vectors), BLOCK):
        roughly = vectors[top : top + BLOCK] @ among.T
        row, column = np.nonzero(roughly >= roughly.max(axis=1, keepdims=True) - SLACK)
        exact = cosines(vectors[top : top + BLOCK], row, among, column)
        order = np.lexsort((column, -exact, row))
        first = order[np.unique(row[order], return_index=True)[1]]
        place[top + row[first]], best[top + row[first]] = column[first], exact[first]
    return place, best


def _shortened(vectors: F32) -> F32:
    """The vectors in their few main directions and, last, the length of the rest; as they are where that saves little."""
    if len(vectors) <= BLOCK:
        return vectors
    squares = vectors.T.astype(np.float64) @ vectors.astype(np.float64)
    lengths, directions = np.linalg.eigh(squares)
    kept = int(np.searchsorted(np.cumsum(lengths[::-1]), ENERGY * lengths.sum())) + 1
    if kept * 2 > vectors.shape[1]:
        return vectors
    main = vectors @ directions[:, ::-1][:, :kept].astype(np.float32)
    rest = np.sqrt(np.clip(1.0 - (main.astype(np.float64) ** 2).sum(axis=1), 0.0, 1.0))
    return np.hstack([main, rest[:, None].astype(np.float32)])
