"""Whether the reply shows how it came to its answer."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import last_reply, reply
from flywheel.texts.signs import sign

INLINE = (
    r"<think(?:ing)?>|\bstep 1\b.*\bstep 2\b|let(?:'s| us|’s) (?:think|work|reason|go) (?:through )?(?:this )?step by step|"
    r"<<[^<>\n]*=[^<>\n]*>>|^#### |단계별로|1단계.*2단계|차근차근"
)
"""Steps that are said to be steps."""
SHAPES = ("apart", "inline", "none")


class Reasoning(Signal, frozen=True):
    """`apart`: the reply has reasoning in a field of its own; `inline`: it goes step by step in its text; `none`.

    Steps are seen where they are named ("Step 1 … Step 2", "단계별로", `<think>`) or worked out as in GSM8K (`<<3*4=12>>`).
    """

    use: Literal["reasoning"] = "reasoning"
    gives: ClassVar[Mapping[str, Any]] = {"reasoning": pl.String}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"reasoning": SHAPES}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        apart = reply().struct.field("reasoning").fill_null("").str.strip_chars() != ""
        inline = last_reply().str.to_lowercase().str.contains(sign(f"(?m){INLINE}"))
        shape = pl.when(apart).then(pl.lit("apart")).when(inline).then(pl.lit("inline")).otherwise(pl.lit("none"))
        return rows.select("id", reasoning=shape)
