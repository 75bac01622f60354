"""`flywheel why`."""

import json
from pathlib import Path
from typing import Any

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home


@click.command(short_help="Where one row, or a released set, came from.")
@click.argument("id")
@click.option(
    "--prov", type=click.Path(dir_okay=False, path_type=Path), help="Write the same as W3C PROV-JSON to this file."
)
@shared
def why(id: str, prov: Path | None, home_path: str | None, as_json: bool) -> None:
    """Walk one row back to the bytes of every log and feedback line behind it, and forward to every set that holds it.

    ID is an id of ours, your application's own, an example's (rows.parquet of an export) or a feedback event's; or FILE:N, a line
    of a file of an export or of a raw file. It may also be SET or SET@VERSION: then every stage behind that release is told, from
    its manifest.

    \b
    Example: flywheel why openai_chat:req_81
             flywheel why exports/support/current/train.jsonl:17
    """
    home = Home.open(home_path)
    from flywheel.audit import release

    if (manifest := release.manifest_of(home, id)) is not None:
        from flywheel.audit.prov import of_release
        from flywheel.audit.story import release_story

        if prov is not None:
            _write(prov, of_release(manifest))
        told = release.told(home, manifest)
        tell(told, as_json, release_story(told))
        return
    from flywheel.storage.catalog import Catalog

    with progress("opening the catalog"), Catalog.open(home) as catalog:
        story = catalog.why(id)
    if prov is not None:
        from flywheel.audit.prov import of_row

        _write(prov, of_row(story))
    tell(story, as_json, report.why_story(story))


def _write(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
