"""Active learning: which rows a person should look at next, because their answer teaches most. The recipe's [[review]] tables.

A batch scores every row of the pool that no expert has answered yet and takes the first `size`, spread over strata where
`by` names some. Its scores are columns that are there: signals, or labels. To add one, write a class with `use`, `columns` and
`doubt` or `order`, and name it in `AnyBatch`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.choices.mix import stable_order
from flywheel.choices.selection import diversified, strata
from flywheel.lineage import Step

PICKED = pl.Schema({"id": pl.String, "why": pl.String, "score": pl.Float64, "place": pl.Int64})
"""The rows of a batch: why each is there, by which score, and its place from 0."""


class Batch(BaseModel, frozen=True, extra="forbid"):
    """What every batch has: a name, a size, and the strata it is spread over."""

    use: str
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """Name of the batch in the queue."""
    size: int = Field(default=100, ge=1)
    """How many rows wait in the queue at most; an answered row makes room for the next."""
    by: tuple[str, ...] = ()
    """Columns whose values, crossed, are strata: each gives its most doubtful row before any gives its second."""

    numbers: ClassVar[bool] = True
    """Whether `columns` name numbers."""

    def step(self) -> Step:
        """What lineage records of it."""
        return Step(use=self.use, parameters=self.model_dump(mode="json", exclude={"use"}))

    def columns(self) -> tuple[str, ...]:
        """Columns of the pool or of labels that `doubt` reads."""
        return ()

    def sketched(self) -> bool:
        """Whether it reads the sketches of near duplicates."""
        return False

    def doubt(self) -> pl.Expr:
        """How much an answer would teach, the more the higher; null where it cannot be told, and then the row is not asked."""
        raise NotImplementedError

    def why(self) -> pl.Expr:
        """A sentence for the person who looks: what is doubtful. Numbers only, no text of a log."""
        raise NotImplementedError

    def pick(self, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
        """PICKED of `rows`: `id`, the columns named, and `keys` where sketches are read."""
        doubted = rows.with_columns(
            stable_order(rows["id"], f"review:{seed}:{self.name}"),
            score=self.doubt().cast(pl.Float64),
            why=self.why(),
            stratum=strata(rows.schema, self.by),
        ).filter(pl.col("score").is_finite())
        best = doubted.sort("score", "order", "id", descending=[True, False, False])
        turns = best.with_columns(turn=pl.int_range(pl.len()).over("stratum")) if self.by else best.with_columns(turn=0)
        return _first(turns.sort("turn", "score", "order", "id", descending=[False, True, False, False]), self.size)


class Uncertainty(Batch, frozen=True):
    """Rows whose score lies nearest to where the decision is made: there a model knows least (Lewis and Gale 1994)."""

    use: Literal["uncertainty"] = "uncertainty"
    score: str
    """Column of numbers, such as a probability."""
    threshold: float = 0.5
    """Where the decision is made."""

    def columns(self) -> tuple[str, ...]:
        return (self.score,)

    def doubt(self) -> pl.Expr:
        return -(pl.col(self.score).cast(pl.Float64) - self.threshold).abs()

    def why(self) -> pl.Expr:
        told = pl.col(self.score).cast(pl.Float64).round(4)
        return pl.format(f"{self.score} is {{}}, the decision is made at {self.threshold:g}", told)


class _Several(Batch, frozen=True):
    """A batch that compares several scores of one row."""

    scores: tuple[str, ...] = Field(min_length=2)
    """Columns of numbers on one scale."""

    def columns(self) -> tuple[str, ...]:
        return self.scores

    def _each(self) -> list[pl.Expr]:
        return [pl.col(c).cast(pl.Float64) for c in self.scores]


class Margin(_Several, frozen=True):
    """Rows whose two highest scores lie closest together: a model can hardly tell which class it is."""

    use: Literal["margin"] = "margin"

    def _gap(self) -> pl.Expr:
        ordered = pl.concat_list(self._each()).list.sort(descending=True)
        known = pl.all_horizontal([e.is_not_null() for e in self._each()])
        return pl.when(known).then(ordered.list.get(0) - ordered.list.get(1))

    def doubt(self) -> pl.Expr:
        return -self._gap()

    def why(self) -> pl.Expr:
        return pl.format("the two highest of " + ", ".join(self.scores) + " are {} apart", self._gap().round(4))


class Committee(_Several, frozen=True):
    """Rows on which several scores of one thing disagree, by their standard deviation (Seung, Opper and Sompolinsky 1992)."""

    use: Literal["committee"] = "committee"

    def doubt(self) -> pl.Expr:
        return pl.concat_list(self._each()).list.drop_nulls().list.std(ddof=0)

    def why(self) -> pl.Expr:
        return pl.format(", ".join(self.scores) + " are spread by {}", self.doubt().round(4))

    @model_validator(mode="after")
    def _differ(self) -> "Committee":
        if len(set(self.scores)) < len(self.scores):
            raise ValueError("scores names a column twice; a committee needs different members")
        return self


class Diversity(Batch, frozen=True):
    """Rows that differ most from each other, by strata and by the sketches of near duplicates: for a first batch, without a score."""

    use: Literal["diversity"] = "diversity"
    near: bool = True
    """Look at the sketches of near duplicates."""

    numbers: ClassVar[bool] = False

    @model_validator(mode="after")
    def _sees_something(self) -> "Diversity":
        if not self.by and not self.near:
            raise ValueError('sees no difference between rows; name columns with by = ["language"], or set near = true')
        return self

    def sketched(self) -> bool:
        return self.near

    def pick(self, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
        turns = diversified(rows, self.by, self.near, seed)
        told = pl.lit("unlike those before it, by " + ", ".join([*self.by, *["its words"] * self.near]))
        return _first(turns.with_columns(score=pl.lit(None, dtype=pl.Float64), why=told), self.size)


AnyBatch = Annotated[Uncertainty | Margin | Committee | Diversity, Field(discriminator="use")]
BATCHES: Mapping[str, type[Batch]] = {
    "uncertainty": Uncertainty,
    "margin": Margin,
    "committee": Committee,
    "diversity": Diversity,
}


def _first(ordered: pl.DataFrame, size: int) -> pl.DataFrame:
    """PICKED of the first rows, in their order."""
    placed: dict[str, Any] = {"place": pl.int_range(pl.len(), dtype=pl.Int64)}
    return ordered.head(size).with_columns(**placed).select(list(PICKED))
