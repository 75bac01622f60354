"""`flywheel init`."""

import click

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home, chosen_home


@click.command(short_help="Make a home folder.")
@click.argument("folder", required=False, metavar="[HOME]")
@shared
def init(folder: str | None, home_path: str | None, as_json: bool) -> None:
    """Make a home folder: a commented recipe.toml, an inbox, Dagster's settings. What is there is kept.

    \b
    Example: flywheel init home
    """
    if folder and home_path and chosen_home(folder) != chosen_home(home_path):
        raise click.UsageError(f"two homes are named, {folder} and {home_path}; name one.")
    path = chosen_home(folder or home_path)
    known = (path / "recipe.toml").exists()
    home = Home.create(path)
    answer = {"home": str(path), "created": not known, "recipe": str(home.recipe_file), "inbox": str(home.inbox)}
    at = f" --home {path}"
    done = f"{'The home' if known else 'A new home'} {path} is ready.\n"
    tell(
        answer,
        as_json,
        f"{done}  Say what you want in {home.recipe_file}\n  Bring logs and feedback: flywheel ingest FILE{at}\n  Then: flywheel build{at}",
    )
