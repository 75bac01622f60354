"""Axes of one's own: what the recipe calls rows by a condition, or by a value the application logged."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.conditions import JSON, Condition, column_of, refuse_bad_path
from flywheel.kinds import Signal
from flywheel.records import CONVERSATIONS


class OwnAxis(BaseModel, frozen=True, extra="forbid"):
    """The values of one axis: those logged at a place, or the names of conditions."""

    of: str | None = None
    """Path in what the application logged, such as `metadata.plan`: the values are those found there."""
    values: dict[str, Condition] = {}
    """Value -> what a row must meet to have it; of several that fit, the first counts."""
    otherwise: str = "other"
    """The value of a row that meets none."""

    @model_validator(mode="after")
    def _says_which(self) -> "OwnAxis":
        if (self.of is None) is not bool(self.values):
            raise ValueError('has to say where its values come from: either of = "metadata.plan", or values')
        if self.of is not None and (self.of.split(".")[0] not in JSON or "." not in self.of):
            raise ValueError(
                f'of: found "{self.of}"; expected a path such as metadata.plan. A column is an axis by its own name'
            )
        if self.of is not None:
            refuse_bad_path(self.of)
        read = sorted({column for where in self.values.values() for column in where.reads})
        if read:
            raise ValueError(
                f'values: a condition reads "{read[0]}", a signal or label; expected texts, columns of the conversation and paths. '
                "A signal is an axis by the name of its column"
            )
        return self

    def value(self) -> pl.Expr:
        """The value of each row."""
        if self.of is not None:
            return column_of(self.of)
        named = [pl.when(where.holds()).then(pl.lit(name)) for name, where in self.values.items()]
        return pl.coalesce(*named, pl.lit(self.otherwise))


class _Given:
    """The columns of a signal that its parameters decide on; of the class, none."""

    def __get__(self, signal: "OwnAxes | None", owner: type) -> Mapping[str, Any]:
        return {} if signal is None else dict.fromkeys(signal.axes, pl.String)


class _Sparse:
    """The columns that may be null: values that are logged in some rows only."""

    def __get__(self, signal: "OwnAxes | None", owner: type) -> frozenset[str]:
        return frozenset() if signal is None else frozenset(a for a, axis in signal.axes.items() if axis.of)


class OwnAxes(Signal, frozen=True):
    """A column for each axis of the recipe, with the value that its conditions, or what the application logged, give a row.

    The columns are like those of any signal: mixes, coverage, filters and traits read them.
    """

    use: Literal["own_axes"] = "own_axes"
    gives: ClassVar[Mapping[str, Any]] = _Given()  # type: ignore[assignment]
    sparse: ClassVar[frozenset[str]] = _Sparse()  # type: ignore[assignment]
    on_request: ClassVar[bool] = True
    axes: dict[str, OwnAxis] = Field(min_length=1)
    """Name of the column -> where its values come from."""

    @model_validator(mode="after")
    def _names_are_free(self) -> "OwnAxes":
        for name in self.axes:
            if not name.isidentifier() or name in CONVERSATIONS or name in ("task", "author"):
                raise ValueError(
                    f'axes: "{name}" cannot be the name of a new column; choose another, such as "my_axis"'
                )
        return self

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select("id", **{name: axis.value().cast(pl.String) for name, axis in self.axes.items()})
