"""What the mix of a set follows: the recipe's table [set.follow.AXIS]. Shares measured from logs, those of a reference, declared
ones, or a blend of these become the shares of one axis of the mix."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.choices.mix import REFERENCE_MIXES
from flywheel.errors import MixInvalid, nearest

Shares = dict[str, Annotated[float, Field(gt=0.0, le=1.0)]]
Cause = Literal["declared", "reference", "usage"]
REST = "*"
"""Stands for every value of an axis that is named nowhere else."""


class Usage(BaseModel, frozen=True, extra="forbid"):
    """How people use the application: which share of the requests in a window of the logs has which value."""

    days: int = Field(default=28, ge=1)
    """Length of the window; its last day is `until`."""
    until: dt.date | None = None
    """Last day of the window; without it, the newest day of the logs: the clock is never asked."""
    weight: Literal["requests", "users"] = "requests"
    """What counts as one: a request; or a user, whose requests share it, so that nobody counts more than once."""
    smoothing: float = Field(default=0.0, ge=0.0)
    """Added to the count of every value, so that few logs say less (Laplace)."""
    floor: float = Field(default=0.0, ge=0.0, lt=1.0)
    """The least share a value gets; the others give it in proportion."""
    least: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Values with a smaller share of the usage are no part of the mix."""
    environments: tuple[str, ...] = ("prod", "production")
    """Environments that count; a call that names none counts."""


class Follow(BaseModel, frozen=True, extra="forbid"):
    """Where the shares of an axis come from, and what is one value of it."""

    declared: Shares = {}
    """Value -> share."""
    reference: str | None = None
    """A mix of REFERENCE_MIXES: what others used, no proven optimum."""
    usage: Usage | None = None
    blend: dict[Cause, Annotated[float, Field(ge=0.0, le=1.0)]] = {}
    """How much each of several counts; they add up to 1. What counts 0 is measured and compared with, and no more."""
    values: dict[str, tuple[str, ...]] = {}
    """Name in the mix -> the values of the axis that go under it; "*" is every value named nowhere. What is not here keeps its own name."""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What is given."""
        there: tuple[tuple[Cause, object], ...] = (
            ("declared", self.declared),
            ("reference", self.reference),
            ("usage", self.usage),
        )
        return tuple(name for name, what in there if what)

    @model_validator(mode="after")
    def _coherent(self) -> "Follow":
        if not self.causes:
            raise ValueError("follows nothing; give declared, reference or usage")
        if self.reference is not None and self.reference not in REFERENCE_MIXES:
            raise ValueError(
                f'there is no reference mix "{self.reference}".{nearest(self.reference, REFERENCE_MIXES)} '
                f"Reference mixes: {', '.join(REFERENCE_MIXES)}"
            )
        if self.declared and abs(sum(self.declared.values()) - 1.0) > 1e-6:
            raise ValueError(f"the declared shares add up to {sum(self.declared.values()):g}; expected 1")
        if len(self.causes) > 1 and set(self.blend) != set(self.causes):
            raise ValueError(
                f"blend has to say how much each counts: {', '.join(self.causes)}; it names {', '.join(self.blend) or 'none'}"
            )
        if self.blend and abs(sum(self.blend.values()) - 1.0) > 1e-6:
            raise ValueError(f"the weights of blend add up to {sum(self.blend.values()):g}; expected 1")
        if len(self.causes) == 1 and self.blend and set(self.blend) != set(self.causes):
            raise ValueError(
                f"blend names {', '.join(self.blend)}, but only {self.causes[0]} is given; leave blend out"
            )
        return self._disjoint()

    def _disjoint(self) -> "Follow":
        named = [v for values in self.values.values() for v in values]
        if twice := sorted({v for v in named if named.count(v) > 1}):
            raise ValueError(f'values has "{twice[0]}" under two names; a row would be in two cells')
        known = {*self.declared, *(REFERENCE_MIXES[self.reference] if self.reference else {})}
        if known and self.usage is None and (lost := [name for name in self.values if name not in known]):
            raise ValueError(
                f'values names "{lost[0]}", which has no share.{nearest(lost[0], sorted(known))} Expected: {", ".join(sorted(known))}'
            )
        return self

    def under(self, value: pl.Expr) -> pl.Expr:
        """The name in the mix of each value of the axis; null stays null."""
        names = {v: name for name, values in self.values.items() for v in values if v != REST}
        rest = next((name for name, values in self.values.items() if REST in values), None)
        if rest is None:
            return value.replace(names) if names else value
        # A value that is the name of a cell of its own is not the rest.
        own = [n for n in (*self.declared, *REFERENCE_MIXES.get(self.reference or "", {})) if n not in self.values]
        kept = names | {n: n for n in own}
        named = value.replace_strict(kept, default=rest, return_dtype=pl.String) if kept else pl.lit(rest)
        return pl.when(value.is_not_null()).then(named)


@dataclass(frozen=True, slots=True)
class Counted:
    """The usage of an axis in a window of the logs."""

    values: Mapping[str, float]
    """Name in the mix -> requests, or users."""
    n: int
    """Requests, or users, in all: what the shares are taken over."""
    unknown: int
    """Requests without a value, or without a user where users count."""
    first: dt.date
    last: dt.date


def resolved(axis: str, follow: Follow, counted: Counted | None) -> dict[str, Any]:
    """The shares of an axis, and where they come from: `shares`, `blend`, and of each cause its own shares.

    Raises `MixInvalid` where the usage gives no shares.
    """
    told: dict[str, Any] = {}
    parts: dict[Cause, Mapping[str, float]] = {}
    if follow.declared:
        parts["declared"] = told["declared"] = dict(sorted(follow.declared.items()))
    if follow.reference:
        parts["reference"] = shares = dict(REFERENCE_MIXES[follow.reference])
        told["reference"] = {"name": follow.reference, "shares": shares}
    if follow.usage and counted:
        parts["usage"] = shares = usage_shares(axis, follow, counted)
        told["usage"] = {
            "weight": follow.usage.weight,
            "n": counted.n,
            "unknown": counted.unknown,
            "first": str(counted.first),
            "last": str(counted.last),
            "counted": dict(sorted(counted.values.items())),
            "shares": shares,
        }
    weights: Mapping[Cause, float] = follow.blend or {follow.causes[0]: 1.0}
    names = sorted({name for shares in parts.values() for name in shares})
    mixed = {n: sum(weights.get(c, 0.0) * shares.get(n, 0.0) for c, shares in parts.items()) for n in names}
    return {"shares": {n: round(s, 12) for n, s in mixed.items() if s > 0}, "blend": dict(weights), **told}


def usage_shares(axis: str, follow: Follow, counted: Counted) -> dict[str, float]:
    """The shares of the values in use, smoothed, none below the floor; they add up to 1."""
    usage = follow.usage or Usage()
    total = sum(counted.values.values())
    if not total:
        raise MixInvalid(
            f"follow.{axis}.usage: no call from {counted.first} to {counted.last} has a value of {axis}"
            + (f" ({counted.unknown:,} have none)" if counted.unknown else "")
            + ". Bring logs of these days, give a longer window (days) or another last day (until), or follow something else."
        )
    kept = {v: n for v, n in counted.values.items() if n / total >= usage.least}
    if not kept:
        raise MixInvalid(
            f"follow.{axis}.usage: every value of {axis} has a smaller share than least = {usage.least:g}. Lower it."
        )
    return floored(axis, smoothed(kept, usage.smoothing), usage.floor)


def smoothed(counts: Mapping[str, float], smoothing: float) -> dict[str, float]:
    """Shares of counts with the same number added to each."""
    total = sum(counts.values()) + smoothing * len(counts)
    return {v: (n + smoothing) / total for v, n in sorted(counts.items())}


def floored(axis: str, shares: Mapping[str, float], floor: float) -> dict[str, float]:
    """The shares with none below the floor; what that takes, the others give in proportion, and none of them falls below it."""
    if floor * len(shares) > 1.0 + 1e-9:
        raise MixInvalid(
            f"follow.{axis}.usage: {len(shares)} values of at least floor = {floor:g} each are more than the whole. "
            f"Lower floor to at most {1 / len(shares):g}, or leave rare values out with least."
        )
    low: set[str] = set()
    while True:
        high = {v: s for v, s in shares.items() if v not in low}
        scale = (1.0 - floor * len(low)) / (sum(high.values()) or 1.0)
        fallen = {v for v, s in high.items() if s * scale < floor}
        if not fallen:
            return {v: floor if v in low else s * scale for v, s in shares.items()}
        low |= fallen


def total_variation(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Half the sum of the differences of two distributions: the largest difference they make to any set of values."""
    return sum(abs(a.get(v, 0.0) - b.get(v, 0.0)) for v in {*a, *b}) / 2
