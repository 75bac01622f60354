"""Behaviours to be unlearned, as checks: how many rows behave so, and the task that asks for counter-examples."""

from collections.abc import Sequence

import polars as pl

from flywheel.filters.behaviour import Behaviour, together
from flywheel.quality.tally import MEASURES
from flywheel.quality.target import Target
from flywheel.storage.snapshots import Snapshot


def target(behaviour: Behaviour) -> Target:
    """The check of a behaviour: a warning as long as more of the rows it is about behave so than may."""
    what = behaviour.name.replace("_", " ")
    about = f" {behaviour.subject}" if behaviour.subject else " rows it is about"
    return Target(
        name=behaviour.name,
        metric=f"behaviour_{behaviour.name}",
        unit="share",
        says=f"{{value}} of {{n}}{about} show {what} and are left out",
        next_step="Bring that many counter-examples: plain replies to requests of that kind, after the seeds in the catalog's table behaviours.",
        max=behaviour.max_share,
        severity="warn",
        proportion=True,
    )


def measured(behaviours: Sequence[Behaviour], screened: Snapshot) -> pl.DataFrame:
    """MEASURES of each behaviour: the share of the rows it is about, and as its segment the acquisition task."""
    if not behaviours or "behaviours" not in screened.schemas:
        return pl.DataFrame(schema=MEASURES)
    found = {r["name"]: r for r in together(screened.scan("behaviours").collect()).to_dicts()}
    rows = []
    for b in behaviours:
        seen = found.get(b.name, {"among": 0, "matched": 0})
        share = round(seen["matched"] / seen["among"], 10) if seen["among"] else 0.0
        rows.append((f"behaviour_{b.name}", "", share, seen["among"]))
        if seen["matched"]:
            rows.append((f"behaviour_{b.name}", f"task: {b.task(seen['matched'])}", share, seen["among"]))
    return pl.DataFrame(rows, schema=MEASURES, orient="row").sort("metric", "segment")
