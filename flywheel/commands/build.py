"""`flywheel build`."""

import click

from flywheel import report
from flywheel.commands.forget import resumed
from flywheel.commands.terminal import progress, shared, silence, tell
from flywheel.errors import FlywheelError
from flywheel.home import Home


@click.command(short_help="Run the graph; make, check and release the sets.")
@click.option(
    "--trial", type=click.IntRange(min=1), metavar="N", help="Only try it: on N conversations, in HOME/trial."
)
@shared
def build(trial: int | None, home_path: str | None, as_json: bool) -> int:
    """Run the whole graph: read, label, measure, curate, assemble, check, release. What is unchanged is not made again.

    With --trial, all of it on a sample of N conversations and in an area of its own: nothing of the home is touched.

    \b
    Example: flywheel build --trial 1000 && flywheel build
    """
    home = Home.open(home_path)
    return built(home, as_json, trial)


def built(home: Home, as_json: bool, trial: int | None = None) -> int:
    """Run the graph and print what came out."""
    from flywheel.logs.inbox import refused, waiting

    home.recipe()
    resumed(home)
    if not home.raw.files() and not any(waiting(home)):
        raise FlywheelError(
            f"there is nothing to build from: no log file has come to {home.path} yet. Run: flywheel ingest FILE --home {home.path}"
        )
    with progress("starting Dagster") as say, silence():
        from assets import launch

        result = launch.build(home, progress=say) if trial is None else launch.trial(home, trial, say)
        for told in refused(home):
            say(f"not taken from the inbox: {told}")
    tell(result, as_json, report.build_summary(str(home.path), result))
    return 0 if result["success"] else 1
