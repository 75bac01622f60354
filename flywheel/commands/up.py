"""`flywheel up`."""

import click

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="Dagster's UI and daemon, with sensors.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port on 127.0.0.1.")
@click.option(
    "--read-only", is_flag=True, help="For looking: no run can be started, and no sensor or clock starts one."
)
@shared
def up(port: int, read_only: bool, home_path: str | None, as_json: bool) -> int:
    """Dagster's UI and daemon on 127.0.0.1: the graph, the checks, sensors on the inbox, a daily build. Ctrl-C ends it.

    \b
    Example: flywheel up --port 3001
             flywheel up --read-only
    """
    home = Home.open(home_path)
    from assets import launch

    def say(message: str) -> None:
        told = {"url": f"http://127.0.0.1:{port}", "home": str(home.path), "read_only": read_only}
        tell(told, as_json, message)

    return launch.up(home, port, say, read_only)
