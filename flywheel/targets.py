"""Every check there is, as plain data: the asset it judges, its metric, its bound, its severity and what to do about it.

A check never computes: `measures` counts, `expectations` compares. Its name is the sentence that is true when it passes.
"""

from dataclasses import dataclass, replace
from typing import Literal

from flywheel.kinds import SetKind, Threshold

Severity = Literal["error", "warn", "off"]


@dataclass(frozen=True, slots=True)
class Target:
    """One check: every value of `metric` must be at most `max` and at least `min`. A metric that is missing fails."""

    name: str
    metric: str
    unit: str
    next_step: str
    max: float | None = None
    min: float | None = None
    severity: Severity = "error"
    kinds: tuple[str, ...] = ()
    """The set kinds it applies to; empty for all."""

    @property
    def blocking(self) -> bool:
        """Whether a failure stops what is downstream."""
        return self.severity == "error"


_SETS = (
    Target("no_row_vanished", "unaccounted_rows", "rows", "This is a fault of flywheel; please report it.", max=0),
    Target("set_is_large_enough", "missing_rows", "rows", "Lower `examples`, widen the mix, or bring more logs of that cell.", max=0),
    Target("mix_meets_target", "mix_distance", "total variation", "Bring more rows of the short cells, or change the mix.", max=0.05),
    Target("every_share_meets_target", "share_gap", "of the set", "Bring more rows of that cell, or change its share.", max=0.05, severity="warn"),
    Target("every_cell_is_covered", "cell_rows", "rows", "Bring logs of that cell, or lower the floor with [set.check.every_cell_is_covered] min.", min=1),
    Target("no_split_leaks", "leaking_groups", "groups", "This is a fault of flywheel; please report it.", max=0),
    Target("no_pii_is_left", "pii_residue", "values", "Add the [[edit]] that redacts this kind of value.", max=0),
    Target("roles_are_in_order", "role_violations", "rows", "Add the filter broken_roles to the recipe.", max=0),
    Target("no_reply_is_empty", "empty_replies", "rows", "Add the filter empty_reply to the recipe.", max=0),
    Target("duplicates_are_few", "duplicate_rate", "of the set", "Lower the threshold of the signal near_duplicate.", max=0.02),
    Target("synthetic_share_is_within_limit", "synthetic_share", "of the set", "Bring more logged rows, or lower the share of synthesis.", max=0.5),
    Target("every_pair_has_contrast", "pairs_without_contrast", "pairs", "This is a fault of flywheel; please report it.", max=0, kinds=("preference",)),
    Target("labels_are_balanced", "minority_share", "of the set", "Train with the weights shown, or collect more of the rarer verdict.", min=0.25, severity="warn", kinds=("kto",)),
    Target("scores_are_on_scale", "scores_off_scale", "rows", "Declare the scale the ratings are given on.", max=0, kinds=("reward",)),
    Target("validation_is_large_enough", "validation_gap", "of the set", "Split by fewer things ([set.split] by), or bring more users.", max=0.05, severity="warn"),
)

TARGETS: dict[str, tuple[Target, ...]] = {
    "raw_files": (
        Target("raw_bytes_are_unchanged", "changed_files", "files", "Restore the named file from a backup.", max=0),
        Target("most_lines_are_readable", "quarantined_share", "of the lines", "Look at the reasons in the table, and at the lines with: flywheel quarantine", max=0.02, severity="warn"),
    ),
    "conversations": (
        Target("every_line_is_accounted_for", "unaccounted_lines", "lines", "This is a fault of flywheel; please report it.", max=0),
        Target("ids_are_unique", "repeated_ids", "ids", "This is a fault of flywheel; please report it.", max=0),
        Target("ids_mean_one_thing", "conflicting_ids", "ids", "The application gave one id to two calls; the later call was kept. Make ids unique where they are made.", max=0, severity="warn"),
    ),
    "feedback": (
        Target("every_line_is_accounted_for", "unaccounted_lines", "lines", "This is a fault of flywheel; please report it.", max=0),
        Target("ids_are_unique", "repeated_ids", "ids", "This is a fault of flywheel; please report it.", max=0),
    ),
    "labels": (
        Target("every_event_has_a_status", "events_without_status", "events", "This is a fault of flywheel; please report it.", max=0),
        Target("feedback_finds_its_call", "orphan_share", "of the events", "Ingest the logs of the missing calls, or look whether the application sends the right ids.", max=0.05, severity="warn"),
        Target("feedback_is_fresh", "hours_since_feedback", "hours", "Look whether the feedback exporter still runs.", max=48, severity="warn"),
        Target("people_agree", "contradicted_share", "of the labelled rows", "Read the contradictions (catalog view contradictions) and settle the policy in [feedback].", max=0.05, severity="warn"),
    ),
    "signals": (Target("every_row_is_measured", "unmeasured_rows", "rows", "This is a fault of flywheel; please report it.", max=0),),
    "screened": (
        Target("no_row_vanished", "unaccounted_rows", "rows", "This is a fault of flywheel; please report it.", max=0),
        Target("no_pii_is_left", "pii_residue", "values", "Add the [[edit]] that redacts this kind of value.", max=0),
        Target("enough_rows_survive", "kept_share", "of the rows", "Look which filter rejects most, in the table, and relax it.", min=0.2, severity="warn"),
    ),
    "curated": (
        Target("no_row_vanished", "unaccounted_rows", "rows", "This is a fault of flywheel; please report it.", max=0),
        Target("duplicates_are_few", "duplicate_rate", "of the rows", "This is a fault of flywheel; please report it.", max=0),
        Target("logs_repeat_little", "removed_as_duplicates", "of the rows", "Look for retries or canned prompts in the logs.", max=0.3, severity="warn"),
    ),
    "set": _SETS,
    "release": (Target("export_is_whole", "damaged_files", "files", "Delete the export folder of this version, then run: flywheel build", max=0),),
}
"""Asset -> its checks. "set" stands for every set of the recipe, "release" for every release."""

ASSETS = tuple(TARGETS)


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
    return replace(
        target,
        max=bound.max if bound.max is not None else target.max,
        min=bound.min if bound.min is not None else target.min,
        severity=bound.severity or target.severity,
    )


def set_targets(wanted_set: SetKind) -> list[Target]:
    """The checks of one set."""
    return wanted("set", dict(wanted_set.check), wanted_set.use)
