"""`flywheel diff`."""

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home


@click.command(short_help="What changed in a set between two versions.")
@click.argument("set_name", metavar="SET")
@click.argument("old", default="previous")
@click.argument("new", default="current")
@click.option("--limit", default=20, show_default=True, help="Examples of each kind to print.")
@shared
def diff(set_name: str, old: str, new: str, limit: int, home_path: str | None, as_json: bool) -> None:
    """What changed in a set between two versions, and why.

    OLD and NEW: candidate, current, previous, or the start of a version. Without them: previous and current.

    \b
    Example: flywheel diff support_sft previous current
    """
    home = Home.open(home_path)
    from flywheel.audit import difference

    with progress("comparing"):
        change = difference.diff(home, set_name, old, new)
    tell(change, as_json, report.diff_story(change, limit))
