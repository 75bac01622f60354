"""Replies that the user corrected in the next turn."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Filter


class CorrectedLater(Filter, frozen=True):
    """Do not imitate a reply to which the user answered "no, I meant …", or after which they asked the same again.

    It reads what `[feedback] infer` finds; without that nothing is known, and every reply stays.
    """

    use: Literal["corrected_later"] = "corrected_later"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    needs: ClassVar[tuple[str, ...]] = ("signs",)
    signs: tuple[Literal["correction", "rephrase"], ...] = ("correction", "rephrase")
    """Which of the two count."""

    def reject(self) -> pl.Expr:
        return pl.any_horizontal(pl.col("signs").list.contains(sign) for sign in self.signs)
