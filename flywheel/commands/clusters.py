"""`flywheel clusters`."""

import click

from flywheel import report
from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="The largest groups of duplicates, and what leaving them out shifts.")
@click.option("--axis", "axes", multiple=True, metavar="COLUMN", help="A column to compare by; may be repeated.")
@click.option("--limit", default=12, show_default=True, help="Groups, and values of each axis, to print.")
@shared
def clusters(axes: tuple[str, ...], limit: int, home_path: str | None, as_json: bool) -> None:
    """The largest groups of duplicates with the row kept of each, and the shares of each value before and after.

    Without --axis: language, app, model and the words of the reply.

    \b
    Example: flywheel clusters --axis language --axis app
    """
    from flywheel.duplicates import clusters as of

    found = of.report(Home.open(home_path).store, axes, limit)
    tell(found, as_json, report.cluster_report(found))
