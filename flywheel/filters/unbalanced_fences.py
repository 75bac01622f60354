"""Replies with a code block that is never closed."""

from typing import Literal

import polars as pl

from flywheel.kinds import Filter
from flywheel.records import last_reply
from flywheel.texts import prose


class UnbalancedFences(Filter, frozen=True):
    """Reject a conversation whose reply opens a fenced code block and does not close it: what follows would be taken for code.

    A mark at the end of a line of code, where Markdown sees none, closes it as well.
    """

    use: Literal["unbalanced_fences"] = "unbalanced_fences"

    def reject(self) -> pl.Expr:
        def batch(replies: pl.Series) -> pl.Series:
            marks = replies.str.count_matches("`{3,}|(?m)^[ \t>]*~{3,}").fill_null(0)
            odd = (marks % 2 == 1).to_list()
            verdicts = [is_odd and prose.fenced(t)[1] for t, is_odd in zip(replies.to_list(), odd, strict=True)]
            return pl.Series(replies.name, verdicts, dtype=pl.Boolean)

        return last_reply().map_batches(batch, return_dtype=pl.Boolean, is_elementwise=True)
