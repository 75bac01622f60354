"""`flywheel demo`."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import click

from flywheel.commands.build import built
from flywheel.commands.ingest import log_files, take_in
from flywheel.commands.terminal import shared
from flywheel.errors import HomeMissing
from flywheel.home import Home, bring_sample_benchmarks, chosen_home, sample_recipe


@click.command(short_help="The bundled sample, from logs to sets.")
@shared
def demo(home_path: str | None, as_json: bool) -> int:
    """Make a home with the bundled sample (real conversations, real faults), run everything, show what came out.

    \b
    Example: flywheel demo --home home
    """
    path = chosen_home(home_path)
    with resources.as_file(resources.files("flywheel").joinpath("sample")) as sample:
        paths = [sample / "logs", sample / "feedback"]
        refuse_own_logs(path, paths)
        home = Home.create(path, sample_recipe())
        bring_sample_benchmarks(home)
        take_in(home, paths)
    return built(home, as_json)


def refuse_own_logs(path: Path, sample: Sequence[Path]) -> None:
    """Refuse to pour the sample among a user's own logs."""
    from flywheel.storage.snapshots import file_digest

    ours = {file_digest(f) for folder in sample for f in log_files(folder)[0]}
    if own := [f.name for f in Home(path).raw.files() if f.digest not in ours]:
        raise HomeMissing(
            f"the home {path} holds logs of your own ({own[0]}{' and others' if len(own) > 1 else ''}); the sample would be mixed with them. "
            "For the sample: flywheel demo --home ANOTHER_FOLDER. For your own: flywheel build"
        )
