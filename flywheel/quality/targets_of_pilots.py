"""The checks of pilots."""

from flywheel.quality.target import Target

PILOTS = (
    Target(
        name="every_stratum_is_in_the_pilot",
        metric="missing_strata",
        unit="count",
        says="{value} of {n} strata without a row in a pilot that has room for it",
        next_step="A stratum has come after the pilot was frozen: delete its file in HOME/frozen to draw it anew, or make another pilot.",
        max=0,
        severity="warn",
    ),
    Target(
        name="pilot_is_whole",
        metric="pilot_gap",
        unit="count",
        says="{value} of {n} rows of pilot and evaluation missing",
        next_step="Bring more logs, of more users, or ask for fewer rows.",
        max=0,
        severity="warn",
    ),
    Target(
        name="a_person_has_read_the_pilot",
        metric="unchecked_rows",
        unit="count",
        says="{value} of {n} rows of a pilot on which no expert has said anything",
        next_step="Read them (catalog table reserved), and bring the verdicts as feedback with actor_kind expert.",
        max=0,
        severity="warn",
    ),
    Target(
        name="frozen_rows_are_there",
        metric="frozen_rows_gone",
        unit="count",
        says="{value} of {n} frozen rows no longer there",
        next_step="Look with flywheel why what took them: a filter, a better copy, an erasure.",
        max=0,
        severity="warn",
    ),
)
