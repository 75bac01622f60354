"""How many rows a share is short of: in whole rows, exactly, by replacing others or by adding to them."""

from fractions import Fraction
from math import ceil, floor, sqrt
from statistics import NormalDist
from typing import NamedTuple

FINEST = 1_000_000
"""Shares are fractions with no larger a denominator: 0.3 is three tenths, and what was counted as 8 of 99 is that."""


class Shortfall(NamedTuple):
    """Rows that have to change for a share to be met. Both 0 where it is."""

    replacing: int
    """Rows that have to give way to others, so that as many are there as before."""
    adding: int | None
    """Rows to be added to those there; None where no number of them is enough."""


def exact(share: float) -> Fraction:
    """The share as it was meant."""
    return Fraction(share).limit_denominator(FINEST)


def short_of(have: int, n: int, least: float) -> Shortfall:
    """What `have` of `n` rows is short of a least share: rows with the value.

    110 of 500 and 0.3: 40 by replacing, and 58 by adding, for every row added makes the set larger, too.
    """
    share = exact(least)
    replacing = max(ceil(share * n) - have, 0)
    if not replacing:
        return Shortfall(0, 0)
    return Shortfall(replacing, ceil((share * n - have) / (1 - share)) if share < 1 else None)


def beyond(have: int, n: int, most: float) -> Shortfall:
    """What `have` of `n` rows is beyond a largest share: rows of another value in their place, or beside them."""
    share = exact(most)
    replacing = max(have - floor(share * n), 0)
    if not replacing:
        return Shortfall(0, 0)
    return Shortfall(replacing, ceil(have / share - n) if share > 0 else None)


def told(short: Shortfall) -> str:
    """In words: "short 40 by replacing, 58 by adding"."""
    return f"{short.replacing:,} by replacing, " + (
        "no number by adding" if short.adding is None else f"{short.adding:,} by adding"
    )


def wilson(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share of `n`; from 0 to 1 where there is nothing to go by."""
    if n <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def sure_gap(share: float, n: int, other: float, m: int, confidence: float) -> float:
    """How far two shares, of `n` and of `m`, are apart at the least, at this confidence; 0 for noise.

    Newcombe's hybrid score interval of a difference (1998, method 10).
    """
    gap = abs(share - other)
    if not confidence:
        return gap
    (low, high), (least, most) = wilson(share, n, confidence), wilson(other, m, confidence)
    near = (
        sqrt((share - low) ** 2 + (most - other) ** 2)
        if share > other
        else sqrt((high - share) ** 2 + (other - least) ** 2)
    )
    return max(0.0, gap - near)
