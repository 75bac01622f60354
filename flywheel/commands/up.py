"""`flywheel up`."""

import click

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="Dagster's UI and daemon, with sensors.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port on 127.0.0.1.")
@shared
def up(port: int, home_path: str | None, as_json: bool) -> int:
    """Dagster's UI and daemon on 127.0.0.1: the graph, the checks, sensors on the inbox, a daily build. Ctrl-C ends it.

    \b
    Example: flywheel up --port 3001
    """
    home = Home.open(home_path)
    from assets import launch

    def say(message: str) -> None:
        tell({"url": f"http://127.0.0.1:{port}", "home": str(home.path)}, as_json, message)

    return launch.up(home, port, say)
