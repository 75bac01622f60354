"""Supervised finetuning: each reply worth imitating, or the better one a person wrote in its place."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import model_validator

from flywheel.formats.messages import INSTRUCTIONS
from flywheel.formats.prompts import short_form
from flywheel.kinds import Formed, SetKind
from flywheel.records import conform, message
from flywheel.sets import PICKED

FIELDS = ("app", "prompt_name", "prompt_version", "model")
FIELD = re.compile(r"\{(\w+)\}")


class Sft(SetKind):
    """One example for each conversation: its prompt, and its reply or the user's correction of it.

    A reply that a filter calls undesired is left out with that filter's reasons, unless a person corrected it: then the
    reply is not imitated and its faults do not matter.
    """

    use: Literal["sft"] = "sft"
    use_corrections: bool = True
    """Put the user's edit or correction in the place of the reply."""
    require_feedback: bool = False
    """Take only replies with a sign of approval: a thumb up, a correction, or no thumb but weak signs that add up above 0."""

    system: Literal["keep", "drop", "template"] = "keep"
    """What becomes of the instructions a prompt begins with: kept, left out, or replaced by `system_template`."""
    system_template: str = ""
    """The short instruction in their place; `{app}`, `{prompt_name}`, `{prompt_version}`, `{model}` stand for the row's."""

    few_shot: Literal["keep", "short"] = "keep"
    """`short`: of a few-shot prompt, the instruction and the examples shown are taken off, and what is asked stays with its
    separator: "pizza -->". A row whose last input is none is left out as NO_FEW_SHOT."""
    turns: Literal["each", "whole"] = "each"
    """`each`: every reply is an example of its own, and earlier replies in its prompt are not learned. `whole`: the turns of a
    session are one example, in which every reply worth imitating is learned and the others (those with a thumb down, too) are not."""

    absent: ClassVar[str] = "not_eligible"

    @model_validator(mode="after")
    def _templated(self) -> "Sft":
        unknown = sorted(set(FIELD.findall(self.system_template)) - set(FIELDS))
        if unknown:
            raise ValueError(f"system_template has {{{unknown[0]}}}; expected one of {', '.join(FIELDS)}")
        if (self.system == "template") != bool(self.system_template.strip()):
            raise ValueError('system = "template" and system_template go together; give both or neither')
        return self

    def whole_sessions(self) -> bool:
        return self.turns == "whole"

    def forms(self) -> bool:
        return self.system != "keep" or self.few_shot != "keep"

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """Leave out or replace the instructions; where there were none, there are none afterwards."""
        rest = [m for m in prompt if m["role"] not in INSTRUCTIONS]
        if not rest:
            return Formed(reasons=("NO_PROMPT",))
        told = [m for m in prompt if m["role"] in INSTRUCTIONS]
        if self.few_shot == "short":
            if rest[-1]["role"] != "user" or (short := short_form(rest[-1]["content"] or "")) is None:
                return Formed(reasons=("NO_FEW_SHOT",))
            rest = [*rest[:-1], message({**rest[-1], "content": short, "parts": None})]
        if self.system == "drop" or not told:
            return Formed(rest, completion)
        if self.system == "keep":
            return Formed([*told, *rest], completion)
        # Values come from logs: they are put in as text and never read as a template.
        instruction = FIELD.sub(lambda m: str(row[m.group(1)] or ""), self.system_template)
        return Formed([message({"role": "system", "content": instruction}), *rest], completion)

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        known = labels.select("id", "thumb", "implicit", "correction", "corrected_by", "feedback")
        corrected = (pl.col("correction").str.strip_chars() != "").fill_null(False) & self.use_corrections
        approved = (
            pl.when(pl.col("thumb").is_not_null())
            .then(pl.col("thumb") > 0)
            .otherwise((pl.col("implicit") > 0).fill_null(False))
        )
        sign = pl.when("corrected").then("corrected_by").when(self.require_feedback & approved).then(pl.lit("approval"))
        faults = pl.when(~pl.col("corrected")).then("undesired").fill_null([])
        if self.turns == "whole":
            faults = pl.when((pl.col("thumb") < 0) & ~pl.col("corrected")).then(_disliked()).otherwise(faults)
        unknown = pl.when(~pl.col("corrected") & self.require_feedback & ~approved).then(["no_approval"]).otherwise([])
        rows = (
            pool.select("id", "undesired")
            .join(known, on="id", how="left")
            .with_columns(corrected=corrected)
            .select(
                "id",
                parents=pl.concat_list("id"),
                reasons=faults.list.concat(unknown.cast(pl.List(pl.String))),
                prompt_of="id",
                completion_of=pl.when(~pl.col("corrected")).then("id"),
                correction=pl.when("corrected").then("correction"),
                signal=sign,
                weight=1.0,
                feedback=pl.when(sign.is_not_null()).then("feedback").fill_null([]),
            )
        )
        picked: pl.DataFrame = conform(rows, PICKED).sort("id").collect()
        return picked


def _disliked() -> pl.Expr:
    """The reasons of a reply with a thumb down, whether or not a filter gave that one."""
    return pl.col("undesired").fill_null([]).list.set_union(["disliked"]).list.sort()
