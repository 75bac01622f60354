"""Calls that gave no answer."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Filter
from flywheel.records import reply


class FailedCall(Filter, frozen=True):
    """Reject a call that ended in an error, or whose last message is not the assistant's."""

    use: Literal["failed_call"] = "failed_call"
    rejects: ClassVar[Literal["row", "target"]] = "row"

    def reject(self) -> pl.Expr:
        return (pl.col("status") == "error") | (reply().struct.field("role") != "assistant")
