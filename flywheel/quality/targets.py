"""Every check there is, as plain data: the asset it judges, its metric, its bound, its severity and what to do about it.

A check never computes: `measures` counts, `expectations` compares. Its name is the sentence that is true when it passes.
"""

from dataclasses import replace

from flywheel.coverage.targets import of_set
from flywheel.kinds import SetKind, Threshold, Undeclared, Unjudged
from flywheel.quality.guidelines import KNOWN
from flywheel.quality.repeats import ANSWERS_AGREE, NO_CALL_DOMINATES, NO_PROMPT_DOMINATES
from flywheel.quality.served_prompts import PROMPTED
from flywheel.quality.target import SURE
from flywheel.quality.target import Severity as Severity
from flywheel.quality.target import Target as Target
from flywheel.quality.targets_of_curricula import CURRICULA
from flywheel.quality.targets_of_pilots import PILOTS
from flywheel.quality.targets_of_sets import NO_FORBIDDEN_FIELD, NO_PII_IS_LEFT, NO_ROW_VANISHED, OUR_FAULT, SETS

NOT_IN_A_TRIAL = "not judged in a trial, for it depends on how many rows there are"

_EVERY_LINE = Target(
    name="every_line_is_accounted_for",
    metric="unaccounted_lines",
    unit="count",
    says="{value} of {n} lines neither stored, set aside nor quarantined",
    next_step=OUR_FAULT,
    max=0,
)
_IDS_ARE_UNIQUE = Target(
    name="ids_are_unique",
    metric="repeated_ids",
    unit="count",
    says="{value} of {n} rows with an id that another row has",
    next_step=OUR_FAULT,
    max=0,
)


TARGETS: dict[str, tuple[Target, ...]] = {
    "raw_files": (
        Target(
            name="raw_bytes_are_unchanged",
            metric="changed_files",
            unit="count",
            says="{value} of {n} raw files changed since they were received",
            next_step="Restore the named file from a backup.",
            max=0,
        ),
        Target(
            name="most_lines_are_readable",
            metric="quarantined_share",
            unit="share",
            proportion=True,
            says="{value} of {n} lines quarantined",
            next_step="Look at the reasons in the table, and at the lines with: flywheel quarantine",
            max=0.02,
            severity="warn",
            confidence=SURE,
        ),
    ),
    "conversations": (
        _EVERY_LINE,
        _IDS_ARE_UNIQUE,
        Target(
            name="ids_mean_one_thing",
            metric="conflicting_ids",
            unit="count",
            says="{value} of {n} calls with an id that an earlier, different call had",
            next_step="The later call was kept. Make ids unique in the application that writes the logs.",
            max=0,
            severity="warn",
        ),
        NO_CALL_DOMINATES,
        Target(
            name="types_are_as_declared",
            metric="type_drift",
            unit="count",
            says="DTYPE_DRIFT: {value} values of another type than [policy.types] declares, in {n} rows",
            next_step="Mend the application that writes them, or declare the type they have (number takes int and float).",
            max=0,
        ),
        PROMPTED,
    ),
    "feedback": (_EVERY_LINE, _IDS_ARE_UNIQUE, KNOWN),
    "labels": (
        Target(
            name="every_event_has_a_status",
            metric="events_without_status",
            unit="count",
            says="{value} of {n} feedback events without a status",
            next_step=OUR_FAULT,
            max=0,
        ),
        Target(
            name="feedback_finds_its_call",
            metric="orphan_share",
            unit="share",
            proportion=True,
            says="{value} of {n} feedback events still waiting for their call",
            next_step="Ingest the logs of the missing calls, or look whether the application sends the right ids.",
            max=0.05,
            severity="warn",
            confidence=SURE,
        ),
        Target(
            name="feedback_is_fresh",
            metric="hours_since_feedback",
            unit="hours",
            says="{value} from the newest of {n} feedback events to the newest call",
            next_step="Look whether the application still exports feedback.",
            max=48,
            severity="warn",
        ),
        Target(
            name="people_agree",
            metric="contradicted_share",
            unit="share",
            proportion=True,
            says="{value} of {n} labelled rows with thumbs both up and down",
            next_step="Read them (catalog view contradictions) and settle the policy with [feedback] contradictions.",
            max=0.05,
            severity="warn",
            confidence=SURE,
        ),
    ),
    "signals": (
        Target(
            name="every_row_is_measured",
            metric="unmeasured_rows",
            unit="count",
            says="{value} of {n} rows not measured",
            next_step=OUR_FAULT,
            max=0,
        ),
        Target(
            name="every_signal_is_there",
            metric="absent_signals",
            unit="count",
            says="{value} of {n} signals cannot be measured here",
            next_step="Do what the reason says, take the signal out of the recipe, or declare this check off.",
            max=0,
        ),
    ),
    "screened": (
        NO_ROW_VANISHED,
        NO_PII_IS_LEFT,
        NO_FORBIDDEN_FIELD,
        Target(
            name="enough_rows_survive",
            metric="kept_share",
            unit="share",
            proportion=True,
            says="{value} of {n} rows kept by the filters",
            next_step="Look in the table which filter rejects most, and relax it.",
            min=0.2,
            severity="warn",
            confidence=SURE,
        ),
    ),
    "curated": (
        NO_ROW_VANISHED,
        Target(
            name="duplicates_are_few",
            metric="duplicate_rate",
            unit="share",
            proportion=True,
            says="{value} of {n} rows repeating another",
            next_step=OUR_FAULT,
            max=0,
        ),
        Target(
            name="logs_repeat_little",
            metric="removed_as_duplicates",
            unit="share",
            proportion=True,
            says="{value} of {n} rows removed as duplicates",
            next_step="Look for retries or canned prompts in the logs.",
            max=0.3,
            severity="warn",
            confidence=SURE,
        ),
        NO_PROMPT_DOMINATES,
    ),
    "conflicts": (ANSWERS_AGREE,),
    "review": (
        Target(
            name="every_held_row_is_queued",
            metric="held_rows_lost",
            unit="count",
            says="{value} of {n} rows held back for a person neither queued nor answered",
            next_step=OUR_FAULT,
            max=0,
        ),
        Target(
            name="every_batch_is_filled",
            metric="batch_gap",
            unit="count",
            says="{value} rows short in the emptiest of {n} batches",
            next_step="Look in the check every_signal_is_there whether the scores of that batch were measured.",
            max=0,
            severity="warn",
        ),
        Target(
            name="queue_is_short",
            metric="waiting_rows",
            unit="count",
            says="{value} rows wait for a person, for {n} reasons in all",
            next_step="Look at them with: flywheel review. Redact or drop instead of holding back, or ask for smaller batches.",
            max=1000,
            severity="warn",
        ),
    ),
    "reserved": PILOTS,
    "set": SETS,
    "curriculum": CURRICULA,
    "release": (
        Target(
            name="export_is_whole",
            metric="damaged_files",
            unit="count",
            says="{value} of {n} exported files missing or changed",
            next_step="Delete the export folder of this version, then run: flywheel build",
            max=0,
        ),
        Target(
            name="scores_hold",
            metric="worse_scores",
            unit="count",
            says="{value} of {n} scores worse than those of the version before, beyond noise",
            next_step="Go back with flywheel rollback SET --because REASON, or say why it stays: flywheel promote.",
            max=0,
            severity="warn",
        ),
    ),
}
"""Asset -> its checks. "set" stands for every set of the recipe, "release" for every release."""

ASSETS = tuple(TARGETS)
BANDED = sorted({t.name for targets in TARGETS.values() for t in targets if t.banded})
"""Checks of a share of rows, or of how far one is from another, which take a band of noise."""


def names(asset: str) -> list[str]:
    """Names of the checks of an asset."""
    return [t.name for t in TARGETS[asset]]


def wanted(asset: str, bounds: dict[str, Threshold], kind: str | None = None) -> list[Target]:
    """The checks of an asset with the recipe's bounds; those declared off are included, marked so."""
    return [adjusted(t, bounds.get(t.name)) for t in TARGETS[asset] if not t.kinds or kind in t.kinds]


def adjusted(target: Target, bound: Threshold | None) -> Target:
    """A target with the bound and severity of the recipe in place of its own."""
    if bound is None:
        return target
    severity = bound.severity or target.severity
    # A gate opens for nothing that is beyond its bound, unless the recipe says how sure it wants to be.
    band = None if severity == "error" else target.confidence
    return replace(
        target,
        max=bound.max if bound.max is not None else target.max,
        min=bound.min if bound.min is not None else target.min,
        severity=severity,
        confidence=bound.confidence if bound.confidence is not None else band,
        off_because=_why_off(target, bound),
    )


def _why_off(target: Target, bound: Threshold) -> str:
    """Why a check is not judged, where it is not."""
    match bound:
        case Unjudged():
            return NOT_IN_A_TRIAL
        case Undeclared():
            return f"undeclared: the recipe has no {bound.missing}"
    return target.off_because


def set_targets(wanted_set: SetKind) -> list[Target]:
    """The checks of one set."""
    bounds = dict(wanted_set.check)
    covered = [adjusted(t, bounds.get(t.name)) for t in of_set(wanted_set.name, wanted_set.coverage)]
    return [*wanted("set", bounds, wanted_set.use), *covered]
