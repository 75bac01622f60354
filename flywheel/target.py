"""One check as plain data: what is measured, within which bounds, how bad a failure is and what to do about it."""

import math
from dataclasses import dataclass
from typing import Literal

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
    kinds: tuple[str, ...] = ()
    """The set kinds it applies to; empty for all."""

    @property
    def blocking(self) -> bool:
        """Whether a failure stops what is downstream."""
        return self.severity == "error"

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
