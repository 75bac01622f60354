"""Checks of what is there too often, and of what contradicts itself."""

from flywheel.quality.target import Target

NO_CALL_DOMINATES = Target(
    name="no_call_dominates",
    metric="repeat_mass",
    unit="share",
    says="{value} of {n} rows are one and the same call",
    next_step="Look at it (flywheel why with the id of the table): a health check, a retry or a canned prompt is better left out of the logs.",
    max=0.0005,
    severity="warn",
)
NO_PROMPT_DOMINATES = Target(
    name="no_prompt_dominates",
    metric="repeat_mass",
    unit="share",
    says="{value} of {n} rows answer one and the same prompt",
    next_step="Look at it (flywheel why with the id of the table); if it is canned, leave it out with a filter matches.",
    max=0.0005,
    severity="warn",
)
ANSWERS_AGREE = Target(
    name="answers_agree",
    metric="contradiction_share",
    unit="share",
    says="{value} of {n} rows contradict another with the same question, or the same answer",
    next_step="Read them (catalog table conflicts), then correct or leave out the wrong ones.",
    max=0.01,
    severity="warn",
)
