"""Traits of one's own: a condition that a share of the rows must meet, judged as a check beside the others."""

from collections.abc import Sequence
from typing import Literal

import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.conditions import Condition
from flywheel.quality.tally import MEASURES
from flywheel.quality.target import SURE, Target
from flywheel.storage.snapshots import Store


class Trait(BaseModel, frozen=True, extra="forbid"):
    """A share of the rows that must meet a condition. A row of which the value is not known does not meet it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """The check's name: lower-case letters, digits and underscores."""
    of: Literal["screened", "curated"] = "curated"
    """The rows after the filters, or the pool."""
    where: Condition
    """What a row must meet, as a rule has it."""
    min_share: float | None = Field(default=None, ge=0.0, le=1.0)
    max_share: float | None = Field(default=None, ge=0.0, le=1.0)
    severity: Literal["error", "warn", "off"] = "warn"
    confidence: float | None = Field(default=None, ge=0.0, lt=1.0)
    """How sure it must be that the bound is broken; 0.95 for a warning, none for a gate."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Trait":
        if self.min_share is None and self.max_share is None:
            raise ValueError("has no bound; expected min_share or max_share")
        return self

    @property
    def target(self) -> Target:
        """The check."""
        return Target(
            name=self.name,
            metric=f"trait_{self.name}",
            unit="share",
            says=f"{{value}} of {{n}} rows {self.name.replace('_', ' ')}",
            next_step=f"Add a filter for the rows that are not, or change the bound of the trait {self.name}.",
            max=self.max_share,
            min=self.min_share,
            severity=self.severity,
            proportion=True,
            confidence=(SURE if self.severity == "warn" else None) if self.confidence is None else self.confidence,
        )


def measured(traits: Sequence[Trait], store: Store, of: str) -> pl.DataFrame:
    """MEASURES of the traits of a dataset: the share of its rows that meet each condition."""
    from flywheel.tuning.preview import screened_rows  # which reads recipes, and those hold traits

    mine = [t for t in traits if t.of == of]
    if not mine:
        return pl.DataFrame(schema=MEASURES)
    rows = screened_rows(store).join(store.head(of).scan().select("id"), on="id", how="semi")
    met = rows.select(
        pl.len().alias("n"), *[t.where.holds().fill_null(False).sum().alias(t.target.metric) for t in mine]
    ).collect()
    n = int(met["n"].item())
    shares = [float(met[t.target.metric].item()) / n if n else 0.0 for t in mine]
    told = [(t.target.metric, "", round(share, 10), n) for t, share in zip(mine, shares, strict=True)]
    return pl.DataFrame(told, schema=MEASURES, orient="row").sort("metric")
