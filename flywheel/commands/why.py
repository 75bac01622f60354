"""`flywheel why`."""

import json
from pathlib import Path

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home


@click.command(short_help="Where one row came from and where it went.")
@click.argument("id")
@click.option(
    "--prov", type=click.Path(dir_okay=False, path_type=Path), help="Write the same as W3C PROV-JSON to this file."
)
@shared
def why(id: str, prov: Path | None, home_path: str | None, as_json: bool) -> None:
    """Walk one row back to the bytes of every log and feedback line behind it, and forward to every set that holds it.

    ID is an id of ours, your application's own, an example's (rows.parquet of an export) or a feedback event's.

    \b
    Example: flywheel why openai_chat:req_81
    """
    home = Home.open(home_path)
    from flywheel.storage.catalog import Catalog

    with progress("opening the catalog"), Catalog.open(home) as catalog:
        story = catalog.why(id)
    if prov is not None:
        from flywheel.audit.prov import of_row

        prov.write_text(json.dumps(of_row(story), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    tell(story, as_json, report.why_story(story))
