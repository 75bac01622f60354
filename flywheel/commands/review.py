"""`flywheel review`."""

from pathlib import Path

import click

from flywheel import report
from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="The rows a person should look at.")
@click.option("--queue", type=click.Choice(["held", "conflict", "active"]), help="Only rows of this queue.")
@click.option("--limit", default=20, show_default=True, help="Rows to print.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every row as JSON Lines to this file."
)
@shared
def review(queue: str | None, limit: int, out: Path | None, home_path: str | None, as_json: bool) -> None:
    """The review queue, what to look at first on top: held rows, and the batches the recipe asks for. Ids and reasons, no text.

    \b
    Example: flywheel review --queue held --out held.jsonl
    """
    from flywheel.stages.review import waiting

    home = Home.open(home_path)
    rows = waiting(home.store.head("review"), queue)
    if out is not None:
        rows.write_ndjson(out)
    shown = (rows if as_json else rows.head(limit)).to_dicts()
    names = dict(rows.group_by("name").len().sort("name").iter_rows())
    tell({"total": rows.height, "by_name": names, "rows": shown}, as_json, report.review_queue(shown, rows.height))
