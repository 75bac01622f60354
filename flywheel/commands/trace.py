"""`flywheel trace`."""

from pathlib import Path

import click

from flywheel.audit.origins import BY
from flywheel.commands.terminal import F, progress, shared, tell
from flywheel.home import Home

HELP = {
    "user": "A user or actor: your own id of them, or the pseudonym; with all who are the same person.",
    "file": "A raw file: its name, path, or the start of its SHA-256.",
    "line": "A line of a raw file, FILE:N.",
    "source": "A source, such as openai_chat.",
    "conversation": "A session, with all its turns.",
    "model": "Who wrote the replies.",
    "app": "An application.",
    "operator": "An operator, NAME or NAME@VERSION: what it changed or left out, and what was made with it.",
    "guideline": "What reviewers and judges labelled by, NAME or NAME@VERSION, as their events name it.",
    "id": "One row, by any id that flywheel why takes.",
}


def origins(command: F) -> F:
    """An option for each thing that can be traced."""
    for by in reversed([*BY]):
        command = click.option(f"--{by}", metavar=by.upper(), help=HELP[by])(command)
    return command


@click.command(short_help="Every row of every set version that something went into.")
@origins
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), help="Rows of each kind to list.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every line, call, event and example to this file.",
)
@shared
def trace(limit: int, out: Path | None, home_path: str | None, as_json: bool, **given: str | None) -> None:
    """Follow something forward: its raw lines, what became of each call and event, and every example of every set version,
    with the line it lies on. Counts are of everything; --limit rows are listed, and --out writes all as JSON Lines.

    \b
    Example: flywheel trace --user u_1 --out u_1.jsonl
    """
    named = {by: value for by, value in given.items() if value is not None}
    if len(named) != 1:
        ways = ", ".join(f"--{by}" for by in BY)
        raise click.UsageError(f"{len(named)} things are named; name one to trace: {ways}.")
    home = Home.open(home_path)
    from flywheel.audit import forward, story
    from flywheel.storage.catalog import Catalog

    (by, value), *_ = named.items()
    with progress("opening the catalog"), Catalog.open(home) as catalog:
        found = forward.forward(catalog, by, value, limit)
        if out is not None:
            story.write_rows(out, forward.reached(catalog, by, value))
    tell(found, as_json, story.trace_story(found))
