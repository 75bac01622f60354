"""How the rows became fewer: filter by filter in the order of the recipe, then the choice among duplicates.

A row counts for the first reason it is given, so that rows in, less what each step removed, are rows out.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import polars as pl
from pydantic import ValidationError

from flywheel.filters import FILTERS
from flywheel.storage.snapshots import Snapshot


def waterfall(*snapshots: Snapshot) -> list[dict[str, Any]]:
    """`{stage, step, rows_in, removed, rows_out, hit, alone}` for each reason of each snapshot, in this order.

    `removed`: rows for which it is the first reason; `hit`: rows that have it at all; `alone`: rows that no other reason would have
    left out. A filter that removed nothing is there too.
    """
    return [step for snapshot in snapshots for step in _steps(snapshot)]


def _steps(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    left = snapshot.count() + snapshot.count("rejected")
    first, hit, alone = _tallies(snapshot)
    order = dict.fromkeys([*_reasons_of_recipe(snapshot), *sorted(hit)])
    for reason in order:
        removed = first.get(reason, 0)
        counts = {"rows_in": left, "removed": removed, "rows_out": left - removed}
        yield {
            "stage": snapshot.name,
            "step": reason,
            **counts,
            "hit": hit.get(reason, 0),
            "alone": alone.get(reason, 0),
        }
        left -= removed


def _reasons_of_recipe(snapshot: Snapshot) -> Iterator[str]:
    """The reasons that the filters behind a snapshot can give, in the order of the recipe."""
    for step in snapshot.derivation.steps:
        if (kind := FILTERS.get(step.use)) is not None:
            with suppress(ValidationError):  # made by an earlier engine, whose filter took other parameters
                rule = kind.model_validate({"use": step.use} | dict(step.parameters))
                yield from rule.verdicts() if rule.rejects == "row" else ()


def _tallies(snapshot: Snapshot) -> tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int]]:
    """Rows by their first reason, by every reason, and by the only one."""
    reasons = snapshot.scan("rejected").select("reasons").collect()["reasons"]
    only = reasons.filter(reasons.list.len() == 1)
    return _counted(reasons.list.first()), _counted(reasons.explode()), _counted(only.list.first())


def _counted(reasons: pl.Series) -> Mapping[str, int]:
    return dict(reasons.drop_nulls().alias("reason").value_counts().iter_rows())
