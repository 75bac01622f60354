"""Calls whose users did not agree to be learned from."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.protection.policy import Value, found_at


class NoConsent(Filter, frozen=True):
    """Leave out calls whose metadata does not say what is required, or says nothing: without consent there is none.

    A recipe usually writes it as `[policy] require`.
    """

    use: Literal["no_consent"] = "no_consent"
    require: dict[str, Value] = Field(min_length=1)
    """Path -> the value it must have, such as `{ "metadata.consent" = true }`. All must hold."""

    def reject(self) -> pl.Expr:
        agreed = [found_at(path).eq_missing(pl.lit(_written(value))) for path, value in self.require.items()]
        return ~pl.all_horizontal(agreed)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
