"""`flywheel check`."""

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, silence, tell
from flywheel.home import Home


@click.command(short_help="Judge every dataset as it stands.")
@shared
def check(home_path: str | None, as_json: bool) -> int:
    """Judge every dataset as it stands. Exit code 1 when a blocking check fails.

    \b
    Example: flywheel check && ./train.sh
    """
    home = Home.open(home_path)
    home.store.head("raw_files")  # else there is nothing to judge
    with progress("checking") as say, silence():
        from assets import launch

        result = launch.check(home, say)
    tell(result, as_json, report.check_summary(result))
    return 0 if result["success"] else 1
