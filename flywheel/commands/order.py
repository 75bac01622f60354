"""`flywheel order`."""

from dataclasses import asdict

import click
from rich.text import Text

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home


@click.command(short_help="What each operator costs, and the cheapest order of the edits.")
@click.option(
    "--sample", default=2000, show_default=True, type=click.IntRange(min=1), help="Conversations to measure on."
)
@click.option(
    "--apply", "applied", is_flag=True, help="Print the edits in that order, to be put into recipe.toml by you."
)
@shared
def order(sample: int, applied: bool, home_path: str | None, as_json: bool) -> int:
    """Measure what each operator costs and removes, propose the cheapest order of the edits, and prove on the sample that it
    gives the same bytes. Nothing is changed: filters are evaluated in one pass, in any order; edits that feed each other stay.

    \b
    Example: flywheel order --sample 5000 --apply
    """
    from flywheel.tuning import ordering

    home = Home.open(home_path)
    with progress("measuring"):
        found = ordering.propose(home, sample)
    edits = ordering.snippet(home.recipe(), found.proposed) if applied else ""
    answer = asdict(found) | {"changes": found.changes} | ({"edits": edits} if applied else {})
    tell(answer, as_json, Text(edits) if applied else report.order_table(answer))
    return 0 if found.equal else 1
