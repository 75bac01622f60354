"""A rule of your own: a column, an operator and a value, or several joined, under a name."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.conditions import Condition
from flywheel.kinds import Filter


class Matches(Filter, Condition, frozen=True):
    """Leave out what a rule hits. The rule's name is the reason that rows are given.

    Nothing of a rule is run as code. `matches` takes a regular expression of Rust's engine, whose time is linear in the text,
    whatever the expression. A row without a value stays.
    """

    use: Literal["matches"] = "matches"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """The reason: lower-case letters, digits and underscores."""
    of: Literal["row", "target"] = "row"
    """`row`: the call is left out. `target`: its reply is not to be imitated, but may be the losing side of a pair."""

    @property
    def reason(self) -> str:
        """The rule's name."""
        return self.name

    @property
    def rejects(self) -> Literal["row", "target"]:  # type: ignore[override]
        """As the rule says."""
        return self.of

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The signals and labels it reads."""
        return self.reads

    def reject(self) -> pl.Expr:
        return self.holds()
