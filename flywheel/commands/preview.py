"""`flywheel preview`."""

from dataclasses import asdict

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="What a filter would reject, before it is enabled.")
@click.argument("rule")
@click.option("--limit", default=10, show_default=True, help="Ids to show.")
@click.option("--save", metavar="NAME", help="Then append it to the recipe under this name.")
@shared
def preview(rule: str, limit: int, save: str | None, home_path: str | None, as_json: bool) -> None:
    """How many of the rows that pass today's filters RULE would reject. RULE is the body of a [[filter]] table; without --save
    nothing changes.

    \b
    Example: flywheel preview 'use = "too_short"
    min_words = 12' --save too_short
    """
    from flywheel.tuning import preview as of

    home = Home.open(home_path)
    rule = of.named(rule, save) if save else rule
    found = of.preview(of.screened_rows(home.store), of.parse_filter(rule), limit)
    if save:
        of.save(home.recipe_file, rule, found)
    text = f"{found.reason} would reject {found.count:,} of {found.of:,} rows" + "".join(f"\n  {i}" for i in found.ids)
    told = f"\nSaved in {home.recipe_file}; the next flywheel build leaves them out." if save else ""
    tell(asdict(found) | {"saved": bool(save)}, as_json, Text(text + told))
