"""Calls from development, staging and tests."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class WrongEnvironment(Filter, frozen=True):
    """Reject a call from any environment but these. A call that names none stays."""

    use: Literal["wrong_environment"] = "wrong_environment"
    keep: tuple[str, ...] = Field(default=("prod", "production"), min_length=1)

    def reject(self) -> pl.Expr:
        return ~pl.col("environment").is_in(list(self.keep))
