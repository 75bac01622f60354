"""What starts runs by itself: new files in the inbox, and the clock."""

import json
from contextlib import suppress

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.resources import ACTIVE, bury
from flywheel.errors import FlywheelError, HomeBusy
from flywheel.home import Home
from flywheel.logs.inbox import waiting
from flywheel.records import short_hash

GRACE = 120.0
"""Seconds a run may take from its start to holding the home's lock before it counts as dead."""
TRIES = 3
"""How often the same files start a run, should the runs fail."""


def build_job() -> UnresolvedAssetJobDefinition:
    """The whole graph."""
    return dg.define_asset_job(
        "build",
        selection=dg.AssetSelection.all(),
        description="Everything from the inbox to the released sets. Parts whose inputs did not change are not made again.",
    )


def check_job() -> UnresolvedAssetJobDefinition:
    """Every check, on what is there now."""
    return dg.define_asset_job(
        "check",
        selection=dg.AssetSelection.all_asset_checks(),
        description="Judge every dataset again, without making any.",
    )


def inbox_sensor(folder: str, what: str) -> dg.SensorDefinition:
    """A sensor on one folder of the inbox."""

    @dg.sensor(
        name=f"new_{folder}",
        job_name="build",
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts one build for all new {what} in inbox/{folder}. A file still being written, or taken before, starts nothing.",
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return look(context, folder)

    return _sensor


def look(context: dg.SensorEvaluationContext, folder: str) -> dg.RunRequest | dg.SkipReason:
    """One run for all the whole files that wait in a folder, or why none is started.

    Exactly once in effect: what a file adds is decided by its content, so a run too many adds nothing. The cursor only counts
    how often the same files were tried; losing it is harmless.
    """
    try:
        home = Home.open()
        whole, settling = waiting(home)
    except FlywheelError as e:
        return dg.SkipReason(str(e))
    here = [d for d in whole if d.name.startswith(f"{folder}/")]
    if not here:
        unsettled = sum(d.name.startswith(f"{folder}/") for d in settling)
        return dg.SkipReason(
            f"no new files in inbox/{folder}" + (f"; {unsettled} still being written" if unsettled else "")
        )
    with suppress(HomeBusy), home.lock(0.0, "sensor"):
        bury(context.instance, older_than=GRACE)
    if context.instance.get_runs(
        dg.RunsFilter(job_name="build", statuses=[*ACTIVE, dg.DagsterRunStatus.QUEUED]), limit=1
    ):
        return dg.SkipReason(f"{len(here)} new files wait for the build at work")
    batch = short_hash(*[d.mark for d in here])
    cursor = json.loads(context.cursor or "{}")
    tried = cursor["tried"] + 1 if cursor.get("batch") == batch else 1
    if tried > TRIES:
        return dg.SkipReason(
            f"{TRIES} builds failed on the same {len(here)} files. Read the newest run, mend the cause, then start the job build."
        )
    context.update_cursor(json.dumps({"batch": batch, "tried": tried}))
    return dg.RunRequest(
        run_key=f"{batch}-{tried}", tags={"flywheel/files": str(len(here)), "flywheel/trigger": f"inbox/{folder}"}
    )


def daily_build() -> dg.ScheduleDefinition:
    """The full build, every night."""
    return dg.ScheduleDefinition(
        name="daily_build",
        job_name="build",
        cron_schedule="15 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The whole graph at 03:15 UTC, so that checks on freshness are judged even when nothing arrives.",
    )
