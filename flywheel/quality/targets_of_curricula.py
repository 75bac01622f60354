"""The checks of curricula."""

from collections.abc import Mapping

from flywheel.choices.curriculum import Curriculum
from flywheel.kinds import Threshold, Undeclared
from flywheel.quality.target import Target
from flywheel.quality.targets_of_sets import NO_ROW_VANISHED, OUR_FAULT

CURRICULA = (
    NO_ROW_VANISHED,
    Target(
        name="order_is_told",
        metric="untold_steps",
        unit="count",
        says="{value} of {n} steps from a stage to the next with nothing that says which comes first",
        next_step="Say what the last stage is to be near: [curriculum.target.AXIS] shares, or score = a column of numbers.",
        max=0,
    ),
    Target(
        name="kinds_are_in_order",
        metric="kinds_out_of_order",
        unit="count",
        says="{value} of {n} stages after one of a later kind (corpus, then instructions, then preferences)",
        next_step="Put the stages in that order.",
        max=0,
    ),
    Target(
        name="last_stage_is_most_related",
        metric="relatedness_gap",
        unit="distance",
        says="a stage is {value} more related to the target than the last of {n} stages",
        next_step="Put the stage that is most related last.",
        max=0.05,
    ),
    Target(
        name="last_stage_is_most_real",
        metric="synthetic_excess",
        unit="share",
        says="the last of {n} stages has {value} more rows written by synthesis than an earlier one",
        next_step="Put the stage with the most logged rows last.",
        max=0.05,
    ),
    Target(
        name="every_phase_holds_its_least",
        metric="phase_gap",
        unit="share",
        says="a stage {value} short of the share it must hold, in {n} rows",
        next_step="Raise those values in the stage's mix, ask for fewer examples, or bring more logs of them.",
        max=0,
    ),
    Target(
        name="every_stage_is_filled",
        metric="stage_gap",
        unit="count",
        says="{value} of {n} rows short in a stage",
        next_step="Ask for fewer examples in that stage, change its mix, or bring more logs.",
        max=0,
    ),
    Target(
        name="every_stage_has_rows",
        metric="stage_rows",
        unit="count",
        says="{value} of {n} rows in the smallest stage",
        next_step="Bring rows for its set, or take the stage out.",
        min=1,
    ),
    Target(
        name="no_stage_leaks",
        metric="leaking_rows",
        unit="count",
        says="{value} of {n} conversations in training of one stage and in validation of another",
        next_step=OUR_FAULT,
        max=0,
    ),
)


def untold(wanted: Curriculum) -> Mapping[str, Threshold]:
    """The checks of what a curriculum does not say, off."""
    asked = {
        "last_stage_is_most_related": ("target or score", wanted.relates),
        "every_phase_holds_its_least": ("[[curriculum.stage.least]]", any(s.least for s in wanted.stage)),
    }
    return {check: Undeclared(severity="off", missing=what) for check, (what, there) in asked.items() if not there}
