"""Behaviour to be unlearned: replies that do what nobody asked for are left out, and plain ones are asked for in their place."""

from collections.abc import Sequence
from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from flywheel.conditions import Condition
from flywheel.kinds import Filter
from flywheel.lineage import Step
from flywheel.texts.behaviours import DETECTORS

BEHAVIOURS = pl.Schema(
    {
        "name": pl.String(),
        "revision": pl.Int64(),  # of the rule, as the recipe numbers it
        "among": pl.Int64(),  # rows the rule is about
        "matched": pl.Int64(),  # of these, left out for it
        "seeds": pl.List(pl.String),  # ids of plain rows among them, to imitate
    }
)
SEEDS = 5
"""Plain rows named to imitate, of each day."""


class Behaviour(Filter, frozen=True, populate_by_name=True):
    """Leave out what a named rule, or a detector, finds among some rows. A recipe usually writes it as `[[behaviour]]`.

    What is left out leaves a gap that a model fills by habit: so each behaviour that was found asks for counter-examples, plain
    replies to the same kind of request. The table `behaviours` of the screened rows and the check of its name say how many.
    """

    use: Literal["behaviour"] = "behaviour"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """The reason, and the name of its check: lower-case letters, digits and underscores."""
    revision: int = Field(default=1, ge=1, alias="version")
    """Version of the rule, raised by hand when its meaning changes."""
    detector: Literal["unasked_rewrite", "unasked_apology"] | None = None
    """A detector that is built in; or `where`."""
    where: Condition | None = None
    """The rule: what a row that behaves so meets."""
    among: Condition | None = None
    """The requests it is about, such as fact-checks; without it, all."""
    subject: str = ""
    """What counter-examples are called in the task: "fact-checks"."""
    examples: int | None = Field(default=None, ge=1)
    """Counter-examples asked for; without it, as many as were left out."""
    max_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the rows it is about that may behave so before the check warns."""
    note: str = ""
    """Why it is unwanted."""
    of: Literal["row", "target"] = "row"
    """`row`: the call is left out. `target`: its reply is not to be imitated, but may be the losing side of a pair."""

    @model_validator(mode="after")
    def _has_one_rule(self) -> "Behaviour":
        if (self.detector is None) == (self.where is None):
            raise ValueError("expected either detector or where: what finds the behaviour")
        return self

    @property
    def reason(self) -> str:
        """Its name."""
        return self.name

    @property
    def rejects(self) -> Literal["row", "target"]:  # type: ignore[override]
        """As the recipe says."""
        return self.of

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The signals and labels its conditions read."""
        return tuple(sorted({column for c in (self.where, self.among) if c for column in c.reads}))

    def step(self) -> Step:
        """As of every operator, under the recipe's own words; a detector has a version of its own."""
        told = self.model_dump(mode="json", exclude={"use"}, by_alias=True)
        version = DETECTORS[self.detector].version if self.detector else self.version
        return Step(use=self.use, version=version, parameters=told)

    def scope(self) -> pl.Expr:
        """Whether a row is of the requests it is about."""
        return self.among.holds().fill_null(False) if self.among else pl.lit(True)

    def reject(self) -> pl.Expr:
        found = self.where.holds() if self.where else DETECTORS[str(self.detector)].found()
        return found & self.scope()

    def task(self, matched: int) -> str:
        """The acquisition task that so many matches raise."""
        what = self.subject or f"replies without {self.name.replace('_', ' ')}"
        return f"{self.examples or matched}+ plain {what}" if self.subject else f"{self.examples or matched}+ {what}"


def observed(judged: pl.DataFrame, behaviours: Sequence[Behaviour]) -> pl.DataFrame:
    """BEHAVIOURS of some rows that have been judged (`reasons`, `undesired`)."""
    told = []
    for b in behaviours:
        hit = pl.concat_list("reasons", "undesired").list.contains(b.reason)
        scoped = judged.filter(b.scope()).select("id", hit=hit, kept=pl.col("reasons").list.len() == 0)
        plain = scoped.filter(~pl.col("hit") & pl.col("kept"))["id"].sort().head(SEEDS)
        told.append((b.name, b.revision, scoped.height, int(scoped["hit"].sum()), plain.to_list()))
    return pl.DataFrame(told, schema=BEHAVIOURS, orient="row")


def together(seen: pl.DataFrame) -> pl.DataFrame:
    """BEHAVIOURS of several groups of rows, counted together, with the first seeds of all."""
    return (
        seen.group_by("name", "revision")
        .agg(pl.col("among", "matched").sum(), pl.col("seeds").explode().drop_nulls().unique().sort().head(SEEDS))
        .sort("name")
    )
