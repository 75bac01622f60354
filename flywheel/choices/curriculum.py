"""Curricula: finetuning in stages, one set after the other. The recipe's [[curriculum]] tables.

A stage is a whole set, or a phase of one: so many examples of it, in a mix of their own. Training first on what there is much of
and last on what is nearest to the task (and real, and most demanding in kind) is what stages are for: the checks hold a curriculum
to that order.
"""

from pydantic import BaseModel, Field, model_validator

from flywheel.choices.mix import Mix
from flywheel.kinds import Threshold
from flywheel.lineage import Step

PARTS = "stage_"
"""How the parts of a curriculum are named: stage_1.2026-03-02 holds that day's examples of the first stage."""


class Least(BaseModel, frozen=True, extra="forbid"):
    """What a phase must hold at least: some values of an axis together, such as mathematics and code late in training."""

    axis: str
    values: tuple[str, ...] = Field(min_length=1)
    share: float = Field(gt=0.0, le=1.0)


class CurriculumStage(BaseModel, frozen=True, extra="forbid"):
    """One stage: a set, or a phase of it. Phases of one set share no example; the later ones choose first."""

    set: str
    """Name of a set of the recipe."""
    examples: int | None = Field(default=None, ge=1)
    """How many of it; without it as many as the mix allows, or all that later stages leave."""
    mix: Mix = {}
    """axis -> value -> share, as of a set."""
    least: tuple[Least, ...] = ()
    """What it must hold at least."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes it is drawn or judged by."""
        return tuple(dict.fromkeys([*self.mix, *(least.axis for least in self.least)]))


class Curriculum(BaseModel, frozen=True, extra="forbid"):
    """Stages in the order they are trained."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    stage: tuple[CurriculumStage, ...] = Field(min_length=2)
    target: Mix = {}
    """axis -> value -> share of the task that the last stage is to be nearest to."""
    score: str | None = None
    """Column of numbers that says how related a row is to the task, such as topic_relevance."""
    check: dict[str, Threshold] = {}

    @model_validator(mode="after")
    def _phases_follow_each_other(self) -> "Curriculum":
        whole = [s.set for s in self.stage if not s.mix and s.examples is None]
        if twice := sorted({name for name in whole if whole.count(name) > 1}):
            raise ValueError(
                f'two stages take all of the set "{twice[0]}"; give one of them examples or a mix, and it becomes a phase'
            )
        return self

    @property
    def axes(self) -> tuple[str, ...]:
        """Every axis it reads."""
        return tuple(dict.fromkeys([*self.target, *(a for s in self.stage for a in s.axes)]))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it reads."""
        return (*self.axes, *([self.score] if self.score else []))

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets it is made of, each once."""
        return tuple(dict.fromkeys(s.set for s in self.stage))

    @property
    def relates(self) -> bool:
        """Whether it says what related means."""
        return bool(self.target) or self.score is not None

    def step(self) -> Step:
        """What lineage records of it."""
        return Step(use="curriculum", parameters=self.model_dump(mode="json", exclude={"check"}))
