"""The cheapest order of steps, from what each costs and what it leaves for those after it. Pure arithmetic.

A step that costs c for each row it is given and removes the share r of them makes the steps after it cheaper by r. Where
all steps commute, the cheapest order is that of c / r, smallest first: exchanging two neighbours that stand the other way
round never makes it dearer (Hellerstein and Stonebraker 1993). Where some must stay before others, every set of steps that
can stand first is tried once, for what is left after a set does not depend on its order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TRIED = 14
"""Constrained steps up to which every set is tried; beyond it the cheapest step that may stand next is taken each time."""


@dataclass(frozen=True, slots=True)
class Costed:
    """One step as the planner sees it."""

    name: str
    cost: float
    """CPU-seconds for one row given to it."""
    removes: float = 0.0
    """Share of what it is given that the steps after it need not look at; negative where it adds."""
    after: frozenset[str] = frozenset()
    """Names of the steps that must come before it."""

    @property
    def rank(self) -> float:
        """Cost of removing one row; infinite for a step that removes none."""
        return self.cost / self.removes if self.removes > 0 else math.inf


def total(steps: Sequence[Costed], rows: float) -> float:
    """CPU-seconds of the steps in this order, for so many rows."""
    spent, left = 0.0, float(rows)
    for step in steps:
        spent += step.cost * left
        left *= 1 - step.removes
    return spent


def cheapest(steps: Sequence[Costed]) -> list[Costed]:
    """The steps in the cheapest order that keeps every `after`; of equal ones, the order given."""
    if not any(s.after for s in steps):
        return sorted(steps, key=lambda s: s.rank)
    return _tried(steps) if len(steps) <= TRIED else _greedy(steps)


def _tried(steps: Sequence[Costed]) -> list[Costed]:
    """The best order of every set of steps that can stand first, from the smaller sets to the whole."""
    best: dict[frozenset[str], tuple[float, float, list[Costed]]] = {frozenset(): (0.0, 1.0, [])}
    for _ in steps:
        longer: dict[frozenset[str], tuple[float, float, list[Costed]]] = {}
        for done, (spent, left, order) in best.items():
            for step in steps:
                if step.name in done or not step.after <= done:
                    continue
                found = (spent + step.cost * left, left * (1 - step.removes), [*order, step])
                known = longer.get(done | {step.name})
                if known is None or found[0] < known[0]:
                    longer[done | {step.name}] = found
        best = longer
    return next(iter(best.values()))[2]


def _greedy(steps: Sequence[Costed]) -> list[Costed]:
    left, order = list(steps), list[Costed]()
    while left:
        done = {s.name for s in order}
        step = min((s for s in left if s.after <= done), key=lambda s: s.rank)
        order.append(step)
        left.remove(step)
    return order


def kept_before(names: Sequence[str], fixed: Sequence[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """Name -> the names that must come before it, for pairs (earlier, later) that must keep their order."""
    return {name: frozenset(a for a, b in fixed if b == name) for name in names}
