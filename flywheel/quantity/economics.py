"""What a shorter prompt, or a cheaper model, saves in serving, and when that has paid for the training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from flywheel.errors import PlanInvalid


class Serving(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The recipe's table [serving]: how much is served and what it costs, so that cards can say what a set saves."""

    calls: float = Field(gt=0.0)
    """Calls the money is counted over, such as those of a month."""
    price: float = Field(ge=0.0)
    """Of a million input tokens of the model in use."""
    tuned_price: float | None = Field(default=None, ge=0.0)
    """The same of the finetuned model; without it, the same price."""
    training: float = Field(default=0.0, ge=0.0)
    """What training costs."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What is saved over so many calls."""

    tokens_per_call: float
    before: float
    """Money for the prompts as they were."""
    after: float
    saved: float
    break_even_calls: float | None
    """Calls after which the saving has paid for the training; None where nothing is saved."""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def saving(prompt_before: float, prompt_after: float, serving: Serving) -> Saving:
    """What prompts of `prompt_after` tokens save against `prompt_before`: 420 to 20 tokens, a million calls at $0.15 a million
    tokens are $60. Raises `PlanInvalid` for a negative length."""
    if prompt_before < 0 or prompt_after < 0:
        raise PlanInvalid(f"prompts of {prompt_before:g} and {prompt_after:g} tokens; expected numbers of at least 0.")
    tuned = serving.price if serving.tuned_price is None else serving.tuned_price
    before = prompt_before * serving.calls * serving.price / 1e6
    after = prompt_after * serving.calls * tuned / 1e6
    per_call = (before - after) / serving.calls
    even = float(math.ceil(serving.training / per_call - 1e-9)) if per_call > 0 else None
    return Saving(prompt_before - prompt_after, round(before, 9), round(after, 9), round(before - after, 9), even)


def worth(tokens: Mapping[str, Any], serving: Serving) -> dict[str, Any]:
    """What the prompts of a set save against those that were logged, by its tokens; see tokens_of_sets."""
    n = max(int(tokens["examples"]), 1)
    before = tokens.get("prompt_as_logged", tokens["prompt"]) / n
    return saving(before, tokens["prompt"] / n, serving).told() | {"calls": serving.calls, "training": serving.training}
