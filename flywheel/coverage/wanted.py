"""What a recipe wants a set to cover: the table [set.coverage]."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from flywheel.choices.follow import Usage
from flywheel.coverage.bins import Bin, bins_of, read_bin
from flywheel.errors import nearest

Severity = Literal["error", "warn", "off"]
SUFFIX = "_coverage"
"""Behind the name of a set, the name of its coverage."""
AUTHOR = "author"
"""The axis that says who wrote what is learned: `human` or `ai`."""


class Wanted(BaseModel, frozen=True, extra="forbid"):
    """The share of the examples that shall have one value."""

    min: float | None = Field(default=None, ge=0.0, le=1.0)
    max: float | None = Field(default=None, ge=0.0, le=1.0)
    severity: Severity | None = None
    """Without it, that of the coverage."""
    confidence: float | None = Field(default=None, ge=0.0, lt=1.0)
    """How sure it must be that the bound is broken; 0.95 for a warning, none for a gate."""

    @model_validator(mode="after")
    def _can_be_met(self) -> "Wanted":
        if self.min is None and self.max is None:
            raise ValueError("has no bound; expected a number, or min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}; no share can be both")
        return self


def _as_bounds(value: Any) -> Any:
    return {"min": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Share = Annotated[Wanted, BeforeValidator(_as_bounds)]
"""A number is the least share."""


class Compared(BaseModel, frozen=True, extra="forbid"):
    """Axes on which the logs of a window are compared with a set."""

    axes: tuple[str, ...] = Field(min_length=1)
    tolerance: float = Field(default=0.05, ge=0.0, lt=1.0)
    """How far the share of a value may be off that of the logs."""
    days: int = Field(default=28, ge=1)
    """Length of the window; its last day is `until`."""
    until: dt.date | None = None
    """Last day of the window; without it, the newest day of the logs."""
    weight: Literal["requests", "users"] = "requests"
    """What counts as one; see `Usage`."""
    environments: tuple[str, ...] = ("prod", "production")
    """Environments that count; a call that names none counts."""
    severity: Severity = "warn"
    confidence: float = Field(default=0.95, ge=0.0, lt=1.0)
    """A gap counts as far as it is sure to be one; 0 takes it as it is."""

    @property
    def usage(self) -> Usage:
        """The window, as usage is counted."""
        return Usage(days=self.days, until=self.until, weight=self.weight, environments=self.environments)


class Drift(Compared, frozen=True):
    """Axes on which what people ask now is compared with the set that is released."""

    days: int = Field(default=7, ge=1)
    """Length of the window; its last day is `until`."""


class Coverage(BaseModel, frozen=True, extra="forbid"):
    """What a set shall cover. In the recipe every further table of [set.coverage] is an axis: value -> share."""

    axes: dict[str, dict[str, Share]] = {}
    """axis -> value -> share. Of numbers a value is a range: "1", "2-4", "5+"."""
    cells: dict[str, Share] = {}
    """"axis=value, axis=value" -> share of the examples that have all of them."""
    show: tuple[str, ...] = ()
    """Axes that are counted, without a target."""
    bins: dict[str, tuple[float, ...]] = {}
    """axis -> where ranges begin, for numbers that have no target: [1, 2, 5] is "1", "2-4", "5+"."""
    usage: Compared | None = None
    """Axes that shall be as people use the application."""
    drift: Drift | None = None
    """Axes on which newer logs must not run away from the released set."""
    severity: Severity = "error"
    """What a target does that is missed: block, warn, or nothing."""

    @model_validator(mode="before")
    @classmethod
    def _tables_are_axes(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        own = {k: v for k, v in given.items() if k in cls.model_fields}
        axes = {k: v for k, v in given.items() if k not in cls.model_fields}
        return {**own, "axes": {**own.get("axes", {}), **axes}} if axes else own

    @property
    def read(self) -> tuple[str, ...]:
        """Every axis it reads."""
        of_cells = [axis for cell in self.cells for axis, _ in pairs(cell)]
        compared = [axis for c in (self.usage, self.drift) if c for axis in c.axes]
        return tuple(sorted({*self.axes, *of_cells, *self.show, *compared, *self.bins}))

    def ranges(self, axis: str) -> tuple[Bin, ...]:
        """The ranges of an axis of numbers: those it has targets for, else those declared."""
        if axis in self.bins:
            return bins_of(self.bins[axis])
        named = [v for cell in self.cells for a, v in pairs(cell) if a == axis]
        found = {b for v in (*self.axes.get(axis, ()), *named) if (b := read_bin(v))}
        return tuple(sorted(found, key=lambda b: b.low))


def pairs(cell: str) -> list[tuple[str, str]]:
    """The axes and values of a cell as the recipe writes it."""
    return [(axis.strip(), value.strip()) for axis, _, value in (part.partition("=") for part in cell.split(","))]


def faults(
    wanted: Coverage,
    mix: Mapping[str, Mapping[str, float]],
    axes: Sequence[str],
    numbers: Sequence[str],
    values: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """What cannot be: axes and values there are not, ranges that overlap, shares that contradict each other or the mix.

    `values`: axis -> every value it can have, where these are known.
    """
    known = sorted({*axes, *numbers})
    for axis in wanted.read:
        if axis not in known:
            yield f'there is no axis "{axis}".{nearest(axis, known)} Axes: {", ".join(known)}.'
        elif axis in numbers:
            yield from _range_faults(wanted, axis)
        elif axis in wanted.bins:
            yield f"bins.{axis}: its values are no numbers; leave it out."
    for axis, shares in wanted.axes.items():
        yield from _value_faults(axis, list(shares), values)
        yield from _sum_faults(axis, shares, values.get(axis))
        yield from _mix_faults(axis, shares, mix.get(axis))
    for cell, share in wanted.cells.items():
        yield from _cell_faults(wanted, cell, share, values)


def _range_faults(wanted: Coverage, axis: str) -> Iterator[str]:
    bad = [v for v in wanted.axes.get(axis, ()) if read_bin(v) is None]
    if bad:
        yield f'{axis}: "{bad[0]}" is no range of numbers; expected such as "1", "2-4" or "5+".'
        return
    ranges = wanted.ranges(axis)
    if not ranges:
        yield f"{axis}: its values are numbers; say where ranges begin: [set.coverage.bins] {axis} = [0, 100, 1000]."
    if axis in wanted.bins and list(wanted.bins[axis]) != sorted(set(wanted.bins[axis])):
        yield f"bins.{axis}: the numbers do not rise; expected such as [1, 2, 5]."
    for low, high in pairwise(ranges):
        if low.high is None or low.high >= high.low:
            yield f'{axis}: the ranges "{low.name}" and "{high.name}" overlap; a row would be in both.'
    unknown = [v for v in wanted.axes.get(axis, ()) if v not in {b.name for b in ranges}]
    if unknown:
        yield f'{axis}: bins has no range "{unknown[0]}"; it has {", ".join(b.name for b in ranges)}.'


def _value_faults(axis: str, named: Sequence[str], values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for value in named:
        if axis in values and value not in values[axis]:
            yield f'{axis}: there is no value "{value}".{nearest(value, values[axis])} Values: {", ".join(values[axis])}.'


def _sum_faults(axis: str, shares: Mapping[str, Wanted], every: Sequence[str] | None) -> Iterator[str]:
    least = sum(s.min or 0.0 for s in shares.values())
    if least > 1 + 1e-9:
        yield f"{axis}: the least shares add up to {least:.6g}; a set has no more than 1. Lower some of them."
    if every is not None and set(shares) == set(every) and all(s.max is not None for s in shares.values()):
        most = sum(s.max or 0.0 for s in shares.values())
        if most < 1 - 1e-9:
            yield f"{axis}: the largest shares of all its values add up to {most:.6g}; expected at least 1. Raise some of them."


def _mix_faults(axis: str, shares: Mapping[str, Wanted], mix: Mapping[str, float] | None) -> Iterator[str]:
    for value, share in shares.items() if mix else ():
        got = (mix or {}).get(value, 0.0)
        if share.min is not None and got < share.min - 1e-9:
            yield f'{axis}: the mix gives "{value}" {got:g}, less than the {share.min:g} wanted here; change one of them.'
        if share.max is not None and got > share.max + 1e-9:
            yield f'{axis}: the mix gives "{value}" {got:g}, more than the {share.max:g} allowed here; change one of them.'


def _cell_faults(wanted: Coverage, cell: str, share: Wanted, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    parts = pairs(cell)
    if len(parts) < 2 or len({a for a, _ in parts}) < len(parts) or not all(a and v for a, v in parts):
        yield f'cells: "{cell}" is no cell; expected two axes or more, such as "language=ko, task_type=code".'
        return
    for axis, value in parts:
        yield from _value_faults(axis, [value], values)
        alone = wanted.axes.get(axis, {}).get(value)
        if alone and alone.max is not None and share.min is not None and share.min > alone.max + 1e-9:
            yield (
                f'cells."{cell}": at least {share.min:g} is wanted, but at most {alone.max:g} of {axis}={value}, '
                "of which it is a part; change one of them."
            )
