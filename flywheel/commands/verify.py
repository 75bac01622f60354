"""`flywheel verify`."""

import click
from rich.text import Text

from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home
from flywheel.report import plain


@click.command(short_help="Hash everything again and name each damaged file.")
@shared
def verify(home_path: str | None, as_json: bool) -> int:
    """Hash everything again: raw files, snapshots, every released version, caches, Dagster's records. Each damaged file is named.

    \b
    Example: flywheel verify || echo restore what is named
    """
    home = Home.open(home_path)
    from flywheel.audit.verify import verify as hash_again

    with progress("hashing"):
        parts = hash_again(home)
    text = Text()
    for part in parts:
        mark, style = ("✗", "red") if part.damaged else ("✓", "green")
        text.append(f"{mark} {part.name}: {part.files:,} files, {len(part.damaged):,} damaged\n", style=style)
        for sentence in part.damaged:
            text.append(f"    {plain(sentence)}\n")
        if part.damaged:
            text.append(f"    {part.cure}\n", style="dim")
    well = not any(part.damaged for part in parts)
    told = [
        {"name": p.name, "files": p.files, "damaged": list(p.damaged), "cure": p.cure if p.damaged else None}
        for p in parts
    ]
    tell({"success": well, "parts": told}, as_json, text)
    return 0 if well else 1
