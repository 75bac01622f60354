"""`flywheel releases`."""

import click

from flywheel import report
from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="The released versions of the sets, with their scores.")
@click.argument("set_name", required=False, metavar="[SET]")
@shared
def releases(set_name: str | None, home_path: str | None, as_json: bool) -> int:
    """The released versions of the sets on disk, first to last: which is current, which was rolled back from, what models scored.

    \b
    Example: flywheel releases support_sft
    """
    home = Home.open(home_path)
    from flywheel.storage.promotion import told

    found = told(home, set_name)
    tell({"releases": found}, as_json, report.release_table(found))
    return 0 if found else 1
