"""`flywheel rollback`."""

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="Make the version before the current one current again.")
@click.argument("set_name", metavar="SET")
@click.option("--because", metavar="REASON", required=True, help="Why. It is kept with the releases.")
@shared
def rollback(set_name: str, because: str, home_path: str | None, as_json: bool) -> None:
    """Make the version of SET that was current before current again. No build brings back the one that was rolled back from; only
    promote does.

    \b
    Example: flywheel rollback support_sft --because 'refuses too much'
    """
    home = Home.open(home_path)
    from flywheel.storage import promotion

    with home.lock(who="flywheel rollback"):
        done = promotion.rollback(home, set_name, because)
    tell(done, as_json, Text(f"{set_name}: {done['version']} is current again; {done['was']} is held back."))
