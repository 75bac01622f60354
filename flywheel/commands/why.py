"""`flywheel why`."""

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home


@click.command(short_help="Where one row came from and where it went.")
@click.argument("id")
@shared
def why(id: str, home_path: str | None, as_json: bool) -> None:
    """Walk one row back to the bytes of every log and feedback line behind it, and forward to every set that holds it.

    ID is an id of ours, your application's own, an example's (rows.parquet of an export) or a feedback event's.

    \b
    Example: flywheel why openai_chat:req_81
    """
    home = Home.open(home_path)
    from flywheel.storage.catalog import Catalog

    with progress("opening the catalog"), Catalog.open(home) as catalog:
        story = catalog.why(id)
    tell(story, as_json, report.why_story(story))
