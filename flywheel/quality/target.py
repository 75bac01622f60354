"""One check as plain data: what is measured, within which bounds, how bad a failure is and what to do about it."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

SURE = 0.95
"""How sure it must be that the share of a warning is beyond its bound: a warning that comes and goes is read by nobody."""
Severity = Literal["error", "warn", "off"]
Unit = Literal["count", "share", "distance", "hours"]


@dataclass(frozen=True, slots=True)
class Target:
    """One check: every value of `metric` must be at most `max` and at least `min`. A metric that is missing fails."""

    name: str
    metric: str
    unit: Unit
    """How numbers are written: a count as 1,204, a share as 2.5%, a distance as 0.031, hours as "7 hours"."""
    says: str
    """What was measured, as a phrase; {value} is the worst value and {n} the count it was taken over."""
    next_step: str
    """What the user does when it fails."""
    max: float | None = None
    min: float | None = None
    severity: Severity = "error"
    proportion: bool = False
    """Whether the value is a share of the n things it was taken over, so that a small n makes it uncertain."""
    difference: bool = False
    """Whether the value is how far a share, or a whole distribution, of n things is from another that is known."""
    confidence: float | None = None
    """How sure it must be that the bound is broken; None where any value beyond it fails."""
    kinds: tuple[str, ...] = ()
    """The set kinds it applies to; empty for all."""
    off_because: str = "declared off in the recipe"
    """Why it is not judged, where its severity is off."""

    @property
    def blocking(self) -> bool:
        """Whether a failure stops what is downstream."""
        return self.severity == "error"

    @property
    def banded(self) -> bool:
        """Whether a small n makes the value uncertain."""
        return self.proportion or self.difference

    def interval(self, value: float, n: int) -> tuple[float, float]:
        """Wilson's interval around a share of n; the share itself where there is no band. 1.9% and 2.1% of 500 are one finding.

        A total variation is the share of one set of values less a known number, so its error is that of a share: 1/(2√n) at most.
        """
        if not self.banded or not self.confidence or n <= 0 or not 0.0 <= value <= 1.0:
            return value, value
        z = NormalDist().inv_cdf((1 + self.confidence) / 2)
        if self.difference:
            return max(0.0, value - z / (2 * math.sqrt(n))), min(1.0, value + z / (2 * math.sqrt(n)))
        middle = (value + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
        return min(value, middle - half), max(value, middle + half)

    @property
    def bound(self) -> str:
        """The bound in words: "at most 5%"."""
        limits = (("at least", self.min), ("at most", self.max))
        return " and ".join(f"{word} {self.written(limit)}" for word, limit in limits if limit is not None)

    def written(self, value: float, digits: int = 3) -> str:
        """A value of this metric as people write it, with at least this many significant digits where it is no whole number."""
        if not math.isfinite(value):
            return str(value)
        match self.unit:
            case "count" | "distance":
                return _short(value, digits)
            case "share":
                return f"{_short(100 * value, digits)}%"
            case "hours":
                return f"{_short(value, digits)} hours"


def _short(value: float, digits: int) -> str:
    """1,204 and 0.0314: whole digits are all kept, what is not zero is never written as zero."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    rounded = round(value, digits - whole) if whole and digits > whole else value
    return f"{rounded:,.0f}" if whole >= digits or rounded == int(rounded) else f"{rounded:.{digits}g}"
