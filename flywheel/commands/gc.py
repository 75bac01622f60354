"""`flywheel gc`."""

import click
from rich.text import Text

from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home


@click.command(short_help="Remove snapshots that nothing needs.")
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Also old releases: of each set the N newest stay."
)
@click.option("--yes", is_flag=True, help="Do it. Without it, only what would go is told.")
@shared
def gc(keep: int | None, yes: bool, home_path: str | None, as_json: bool) -> None:
    """Remove what nothing needs any more: snapshots that neither the newest build nor a release on disk names, and what killed runs
    left. With --keep, old releases go first; the current one and those a model was trained on stay.

    \b
    Example: flywheel gc --keep 5 && flywheel gc --keep 5 --yes
    """
    home = Home.open(home_path)
    from flywheel.storage.retention import remove, waste

    with progress("looking for what nothing needs"), home.lock(who="flywheel gc"):
        found = waste(home, keep)
        told = found.told()
        if yes:
            remove(found)
    text = Text("Removed " if yes else "Would remove ")
    text.append(", ".join(f"{told[k]:,} {k}" for k in ("releases", "manifests", "parts", "leftovers")))
    text.append(f": {told['bytes'] / (1 << 20):,.1f} MB.\n")
    for folder in found.releases:
        text.append(f"  {folder}\n", style="dim")
    if not yes:
        text.append("Nothing was removed. To do it: the same command with --yes\n", style="yellow")
    tell(told | {"removed": yes, "release_folders": [str(p) for p in found.releases]}, as_json, text)
