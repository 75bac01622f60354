"""Verdicts on a candidate, and its release: the gate is read again for the very snapshot that is to be released."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flywheel.home import Home
from flywheel.kinds import SetKind
from flywheel.quality.expectations import Finding
from flywheel.quality.targets import Target, set_targets
from flywheel.records import canonical, short_hash
from flywheel.stages.export import VERSION_DIGITS, Release, export, gate
from flywheel.storage.frozen import freeze
from flywheel.storage.promotion import pointed_by_build
from flywheel.storage.proofs import proof_of
from flywheel.storage.releases import remember
from flywheel.storage.results import results, table
from flywheel.storage.snapshots import Snapshot, replace_synced


def keep_verdicts(home: Home, snapshot: Snapshot, targets: Sequence[Target], findings: Sequence[Finding]) -> None:
    """Write down what the checks found of this very snapshot, under the targets they used."""
    judged_by = {"targets": targets_digest(targets), "rights": rights_digest(home)}
    body = {"snapshot": snapshot.version, **judged_by, "findings": [plain(f) for f in findings]}
    folder = home.store.root / snapshot.name / "verdicts"
    folder.mkdir(parents=True, exist_ok=True)
    replace_synced(folder / f"{snapshot.version}.json", canonical(body))


def verdicts(home: Home, snapshot: Snapshot, targets: Sequence[Target]) -> list[dict[str, Any]]:
    """The findings on this very snapshot under these very targets and rights; empty when it was not judged so."""
    try:
        body = json.loads((home.store.root / snapshot.name / "verdicts" / f"{snapshot.version}.json").read_bytes())
    except FileNotFoundError:
        return []
    found: list[dict[str, Any]] = body["findings"]
    same = body["targets"] == targets_digest(targets) and body.get("rights") == rights_digest(home)
    return found if same else []


def rights_digest(home: Home) -> str:
    """Hash of the purpose, the sources, the terms and the policy on the loop: another purpose is another question."""
    recipe = home.recipe()
    asked = [part.model_dump(mode="json") if part else None for part in (recipe.rights, recipe.loop)]
    return short_hash(canonical(asked))


def targets_digest(targets: Sequence[Target]) -> str:
    """Hash of the bounds, bands and severities a candidate is judged by."""
    return short_hash(canonical([[t.name, t.metric, t.max, t.min, t.severity, t.confidence] for t in targets]))


def plain(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {k: v for k, v in asdict(finding).items() if k in ("name", "passed", "severity", "blocking", "summary")}


def release(home: Home, wanted: SetKind) -> Release:
    """Release the newest candidate of a set: gate, files, pointer, and its place in the order of releases.

    `current` moves to it but where the set is promoted by hand, or the version was rolled back from. Raises `ReleaseRefused`
    with every reason when a blocking check failed, or was not run on this very snapshot with the bounds of today's recipe; the
    release before it stays.
    """
    candidate = home.store.head(wanted.name)
    targets = set_targets(wanted)
    known = verdicts(home, candidate, targets)
    gate(candidate, known, targets)
    version = candidate.version[:VERSION_DIGITS]
    pointed = pointed_by_build(home, wanted.name, version, by_hand=wanted.promote == "by_hand")
    told = table(results(home, wanted.name, version))
    made = export(home, wanted, candidate, known, proof_of(home.store.root, wanted, candidate), pointed, told)
    if pointed:
        remember(home, wanted.name, made.version)
    if wanted.pilot is not None:
        freeze(home.path, wanted.name, home.store.head("reserved"), home.recipe().seed, wanted.pilot.by)
    return made
