"""The job `audit`: the lineage of one row, or of one version of a set, as a report, from the launchpad of the UI."""

from pathlib import Path

import dagster as dg

from assets.metadata import Shown
from assets.resources import sentences
from flywheel.audit.dossier import Dossier, audit
from flywheel.home import Home
from flywheel.storage.catalog import Catalog

CONFIG = {
    "id": dg.Field(str, description="An id that `flywheel why` takes; or SET, or SET@VERSION."),
    "texts": dg.Field(bool, default_value=False, description="Show the texts that were changed, before and after."),
}


def audit_job(home: Path) -> dg.JobDefinition:
    """A job that writes the audit report of what its config names."""

    @dg.op(name="write_the_report", config_schema=CONFIG)
    def _audit(context: dg.OpExecutionContext) -> None:
        """Writes HOME/audits/….md: raw bytes, steps, changes, people, sets, rights, and how to check each."""
        with sentences(), Catalog.open(Home.open(home)) as catalog:
            made = audit(catalog, context.op_config["id"], context.op_config["texts"])
        context.log_event(dg.AssetObservation("audit", metadata=describe_audit(made)))

    @dg.job(
        name="audit",
        description="Where one row comes from and went, or how a version of a set was made, as a report in HOME/audits. "
        "Name an id in the launchpad. Nothing else of the home is changed.",
    )
    def _job() -> None:
        _audit()

    return _job


def describe_audit(made: Dossier) -> Shown:
    """Metadata of a report: where it lies, the report itself, and the numbers people ask for first."""
    numbers = {"raw_lines": made.sources, "unchanged": made.intact, "steps": made.steps, "set_versions": made.sets}
    return {
        "path": dg.MetadataValue.path(str(made.path)),
        "of": dg.MetadataValue.text(f"{made.kind} {made.id[:200]}"),
        "report": dg.MetadataValue.md(made.shown),
        **{name: dg.MetadataValue.int(n) for name, n in numbers.items() if made.kind != "set"},
    }
