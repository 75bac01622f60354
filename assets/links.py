"""Where the UI leads from a dataset to its lineage: the launchpad of the job `audit`, with the id filled in."""

import json
from urllib.parse import quote

import dagster as dg

from flywheel.audit.dossier import audit_set
from flywheel.home import Home
from flywheel.stages.export import Release
from flywheel.storage.releases import is_set
from flywheel.storage.snapshots import Snapshot

LAUNCHPAD = "/locations/flywheel/jobs/audit/playground/setup?config="


def launchpad(id: str) -> str:
    """Where the UI asks for the report of this id. JSON is YAML, so that no id can be more than an id."""
    return LAUNCHPAD + quote(f"ops:\n  write_the_report:\n    config:\n      id: {json.dumps(id)}\n", safe="")


def audit_of(snapshot: Snapshot) -> dict[str, dg.MetadataValue]:
    """The link from a version of a set to its lineage report; nothing for other datasets."""
    wanted = f"{snapshot.name}@{snapshot.version[:12]}"
    return {"lineage": dg.MetadataValue.url(launchpad(wanted))} if is_set(snapshot) else {}


def audited(home: Home, made: Release) -> dict[str, dg.MetadataValue]:
    """The lineage report of a release, which is written now, and the link to ask for it again."""
    report = audit_set(home, made.set, made.version)
    return {
        "lineage_report": dg.MetadataValue.path(str(report.path)),
        "lineage": dg.MetadataValue.url(launchpad(report.id)),
    }
