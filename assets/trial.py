"""The job `trial`: the whole graph on a sample, from the UI."""

from pathlib import Path

import dagster as dg

from assets.resources import sentences
from flywheel.home import Home

SIZE = 1_000
"""Conversations, where the recipe demands no number."""


def trial_job(home: Path, size: int) -> dg.JobDefinition:
    """A job that tries the recipe of a home."""

    @dg.op(name="try_the_recipe", config_schema={"conversations": dg.Field(int, default_value=size)})
    def _trial(context: dg.OpExecutionContext) -> None:
        """Builds everything from a sample of the conversations, in HOME/trial, and writes the verdict to HOME/trial.json."""
        from assets import launch

        with sentences():
            told = launch.trial(Home.open(home), context.op_config["conversations"])["trial"]
        shown = {"conversations": told["conversations"], "not_judged": ", ".join(told["not_judged"])}
        if not told["passed"]:
            raise dg.Failure("\n".join(told["faults"]), metadata=shown, allow_retries=False)
        context.log_event(dg.AssetObservation("trial", metadata=shown))

    @dg.job(
        name="trial",
        description=f"The whole graph on a sample of {size:,} conversations, in an area of its own: nothing of the home is touched. "
        "A recipe may demand that it passed: [build] trial.",
    )
    def _job() -> None:
        _trial()

    return _job
