"""What the rights of a set come to in numbers, for the checks that judge them."""

import polars as pl

from flywheel.quality.tally import MEASURES, one
from flywheel.rights.clearance import Clearance, of_set
from flywheel.rights.registry import Registry
from flywheel.storage.snapshots import Snapshot, Store


def measured(store: Store, candidate: Snapshot, registry: Registry) -> pl.DataFrame:
    """MEASURES: `unregistered_rows`, `rows_forbidden_by_licence`, `rows_forbidden_by_teacher` and `rows_of_unknown_rights`, each
    with a segment for every source or model concerned. Nothing where the recipe registers nothing and declares no purpose."""
    if registry.purpose is None and not registry.sources:
        return pl.DataFrame(schema=MEASURES)
    return counted(of_set(store, candidate, registry))


def counted(found: Clearance) -> pl.DataFrame:
    """MEASURES of a clearance."""
    total = {m: found.affected[key] for m, key in JUDGED.items()}
    total["rows_of_unknown_rights"] = max(found.affected["licence", "unknown"], found.affected["teacher", "unknown"])
    total["unregistered_rows"] = found.unregistered
    rows = [row for metric, value in total.items() for row in one(metric, value, found.examples)]
    for of in found.table.to_dicts():
        for metric, (subject, verdict) in [*JUDGED.items(), *UNKNOWN]:
            if (of["subject"], of["verdict"]) == (subject, verdict):
                rows += one(metric, of["rows"], found.examples, f"{subject}={of['name']}")
    return pl.DataFrame(rows, schema=MEASURES).sort("metric", "segment")


JUDGED = {
    "rows_forbidden_by_licence": ("licence", "forbidden"),
    "rows_forbidden_by_teacher": ("teacher", "forbidden"),
}
UNKNOWN = [("rows_of_unknown_rights", (subject, "unknown")) for subject in ("licence", "teacher")]
