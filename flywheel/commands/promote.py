"""`flywheel promote`."""

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="Make a released version the current one.")
@click.argument("set_name", metavar="SET")
@click.argument("version")
@click.option("--because", metavar="REASON", help="Why, where its scores speak against it. It is kept.")
@shared
def promote(set_name: str, version: str, because: str | None, home_path: str | None, as_json: bool) -> None:
    """Make a released version of SET the current one. Refused where a score is worse than that of the current one beyond noise, or
    none can be compared, unless you say why; and where a file of it is damaged.

    \b
    Example: flywheel promote support_sft 3f9c1a2b7d00
    """
    home = Home.open(home_path)
    from flywheel.storage import promotion

    with home.lock(who="flywheel promote"):
        done = promotion.promote(home, set_name, version, because)
    compared = "".join(f"\n  {s['name']}: {s['old']:.4g} → {s['new']:.4g}, {s['verdict']}" for s in done["scores"])
    tell(
        done,
        as_json,
        Text(f"{set_name}: {done['version']} is current; before it was {done['was'] or 'none'}.{compared}"),
    )
