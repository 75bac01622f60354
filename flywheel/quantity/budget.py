"""What data a budget buys: one equation of money, price, examples, overlap, judging and compute, solved for whichever is unknown.

    money = examples x (price x (1 + overlap) + judge_tokens x judge_price / 1,000,000) + compute
    tokens = examples x tokens_per_example

What a split between data and compute scores needs a measured learning curve, which is not part of this.
"""

import math
from collections.abc import Mapping

from pydantic import BaseModel, Field

from flywheel.errors import PlanInvalid

UNKNOWNS = ("money", "examples", "price", "overlap", "compute", "judge_tokens")
"""What can be solved for."""


class Budget(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The terms of the equation; what is None is unknown."""

    money: float | None = Field(default=None, ge=0.0)
    """All there is to spend."""
    examples: float | None = Field(default=None, ge=0.0)
    price: float | None = Field(default=None, ge=0.0)
    """Of one annotation."""
    overlap: float | None = Field(default=0.0, ge=0.0)
    """Share of the examples that a second person annotates, too, so that agreement can be measured; 2 for three people each."""
    compute: float | None = Field(default=0.0, ge=0.0)
    """Money for training."""
    judge_tokens: float | None = Field(default=0.0, ge=0.0)
    """Tokens that judging an example takes."""
    judge_price: float = Field(default=0.0, ge=0.0)
    """Of a million such tokens."""
    compute_share: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Share of the money for training, in place of `compute`."""


def solved(budget: Budget, unknown: str | None = None) -> dict[str, float]:
    """Every term, with the unknown one solved for; without a word that is the one that is None. Examples are whole, rounded down.

    Raises `PlanInvalid` where nothing or too much is unknown, and where no number solves it.
    """
    known: dict[str, float | None] = {name: getattr(budget, name) for name in UNKNOWNS}
    if budget.compute_share is not None:
        if budget.money is None or unknown == "money":
            return _with_share(budget)
        known["compute"] = budget.money * budget.compute_share
    if unknown is not None:
        if unknown not in UNKNOWNS:
            raise PlanInvalid(f'"{unknown}" cannot be solved for; expected one of {", ".join(UNKNOWNS)}.')
        known[unknown] = None
    missing = [name for name, value in known.items() if value is None]
    if len(missing) != 1:
        raise PlanInvalid(
            f"{'nothing' if not missing else ', '.join(missing)} is unknown; expected exactly one. "
            + ("Leave out what is to be found." if not missing else f"Give {' and '.join(missing[1:])}.")
        )
    value = _solve(missing[0], {k: v for k, v in known.items() if v is not None}, budget.judge_price)
    return {**{k: v for k, v in known.items() if v is not None}, missing[0]: value, "judge_price": budget.judge_price}


def _with_share(budget: Budget) -> dict[str, float]:
    """The money, where training takes a share of it: what is not training is the data."""
    data = solved(budget.model_copy(update={"money": None, "compute": 0.0, "compute_share": None}))
    money = data["money"] / (1.0 - (budget.compute_share or 0.0))
    return data | {"money": money, "compute": money - data["money"]}


def _solve(unknown: str, t: Mapping[str, float], judge_price: float) -> float:
    judge = t.get("judge_tokens", 0.0) * judge_price / 1e6
    if unknown == "money":
        return t["examples"] * (t["price"] * (1 + t["overlap"]) + judge) + t["compute"]
    for_data = t["money"] - t.get("compute", 0.0)
    if for_data < 0:
        raise PlanInvalid(
            f"compute takes {t['compute']:g} of {t['money']:g}: nothing is left for data. Lower one or raise the other."
        )
    if unknown == "examples":
        each = t["price"] * (1 + t["overlap"]) + judge
        return float(
            math.floor(_over(for_data, each, "an example costs nothing, so any number can be had; give a price") + 1e-9)
        )
    if unknown == "compute":
        found = t["money"] - t["examples"] * (t["price"] * (1 + t["overlap"]) + judge)
    else:
        each = _over(for_data, t["examples"], "there are no examples to spend on; give examples")
        if unknown == "price":
            found = (each - judge) / (1 + t["overlap"])
        elif unknown == "overlap":
            found = (
                _over(each - judge, t["price"], "an annotation costs nothing, so any overlap can be had; give a price")
                - 1
            )
        else:
            left = each - t["price"] * (1 + t["overlap"])
            found = _over(
                left * 1e6, judge_price, "judging costs nothing, so any number of tokens can be had; give a judge price"
            )
    if found < -1e-9:
        raise PlanInvalid(
            f"{unknown} would have to be {found:,.2f}: {t['money']:g} does not pay for the rest. Raise the money, or ask for less."
        )
    return max(found, 0.0)


def _over(part: float, whole: float, why: str) -> float:
    if whole <= 0:
        raise PlanInvalid(f"{why}.")
    return part / whole


def examples_of(tokens: float, tokens_per_example: float) -> float:
    """How many examples so many tokens are: 2e12 of 2,000 each are 1e9."""
    if not tokens_per_example > 0 or tokens < 0:
        raise PlanInvalid(f"{tokens:g} tokens in examples of {tokens_per_example:g}; expected numbers above 0.")
    return tokens / tokens_per_example
