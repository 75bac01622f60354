"""What people ask first of a set: counts that lie beside its rows, for the checks, the card and the UI."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from flywheel.choices.oversampling import copies_in
from flywheel.kinds import SetKind

if TYPE_CHECKING:
    from flywheel.stages.assemble import Plan


def notes(wanted: SetKind, plan: "Plan", followed: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Counts of a set, as `assemble` stores them. `followed`: what its mix follows, by axis."""
    cells, made = plan.allocation.cells, plan.chosen.height
    sides = plan.chosen["split"].value_counts()
    counts = {"train": 0, "validation": 0} | dict(sides.iter_rows())
    reasons = plan.rejected.select(pl.col("reasons").explode()).to_series().drop_nulls().value_counts().sort("reasons")
    rejected = Counter(dict(reasons.iter_rows())) + Counter(plan.silent)
    facts: dict[str, Any] = {
        "kind": wanted.use,
        "wanted": int(cells["wanted"].sum()),
        "available": int(cells["available"].sum()),
        "made": made,
        "missing": int(cells["wanted"].sum()) - made,
        "cells": cells.to_dicts(),
        "short": plan.allocation.shortfall,
        "train": counts["train"],
        "validation": counts["validation"],
        "validation_wanted": wanted.split.validation,
        "groups": plan.chosen["group"].n_unique(),
        "rejected": dict(sorted(rejected.items())),
    }
    if plan.selected is not None:
        facts["selection"] = dict(plan.selected.notes)
    if followed:
        facts["follow"] = dict(followed)
    if wanted.max_copies > 1:
        facts["copies"] = {"rows": copies_in(plan.chosen).height, "max_copies": wanted.max_copies}
    if plan.chosen["label"].is_not_null().any():
        facts["labels"] = balance(int(plan.chosen["label"].sum()), int((~plan.chosen["label"]).sum()))
    return facts


def balance(desired: int, undesired: int) -> dict[str, float]:
    """Desired and undesired examples, the share of the rarer, and the weights under which both sides count the same."""
    most = max(desired, undesired)
    return {
        "desired": desired,
        "undesired": undesired,
        "minority_share": min(desired, undesired) / max(desired + undesired, 1),
        "desirable_weight": round(most / desired, 4) if desired else 0.0,
        "undesirable_weight": round(most / undesired, 4) if undesired else 0.0,
    }
