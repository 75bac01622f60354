"""`flywheel doctor`."""

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.home import Home, chosen_home


@click.command(short_help="Examine the home and this machine.")
@click.option("--port", default=3000, show_default=True, help="The port the UI would use.")
@shared
def doctor(port: int, home_path: str | None, as_json: bool) -> int:
    """Examine the home and this machine; every finding that is not well says what to do.

    \b
    Example: flywheel doctor --home home
    """
    from flywheel.audit.doctor import examine

    with progress("examining"):
        found = [d._asdict() for d in examine(Home(chosen_home(home_path)), port)]
    well = all(d["ok"] for d in found)
    tell({"success": well, "diagnoses": found}, as_json, report.diagnoses(found))
    return 0 if well else 1
