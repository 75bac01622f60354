"""`flywheel results`."""

import json
from pathlib import Path
from typing import Any

import click

from flywheel import report
from flywheel.commands.terminal import shared, tell
from flywheel.errors import ResultInvalid
from flywheel.home import Home


@click.command(short_help="What models trained on a version scored.")
@click.argument("action", type=click.Choice(["add", "show"]))
@click.argument("set_name", metavar="SET")
@click.argument("version", required=False)
@click.option("--run", metavar="NAME", help="The run of training, as your tracker calls it.")
@click.option("--model", default="", help="The model that was trained, or that taught.")
@click.option("--teacher", is_flag=True, help="The scores are those of the model whose replies the set holds.")
@click.option("--score", "scores", multiple=True, metavar="NAME=VALUE", help="A score; may be repeated.")
@click.option("--n", type=click.IntRange(min=1), help="Items each score was taken over.")
@click.option("--se", type=float, help="Standard error of each score.")
@click.option("--lower-is-better", "lower", is_flag=True, help="Of these scores less is better.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="All of it as JSON instead.")
@shared
def results(
    action: str,
    set_name: str,
    version: str | None,
    home_path: str | None,
    as_json: bool,
    file: Path | None,
    **said: Any,
) -> None:
    """Attach the scores of a model to the version of SET that it was trained on, or show those there are.

    VERSION: current (the default), previous, candidate, or the start of a version. The file: {"run", "model", "role": "student" or
    "teacher", "scores": [{"name", "value", "n" or "se", "better": "higher" or "lower"}]}.

    \b
    Example: flywheel results add support_sft current --run run-12 --score accuracy=0.81 --n 500
    """
    home = Home.open(home_path)
    from flywheel.storage import results as evaluated
    from flywheel.storage.evaluation_card import renew

    at = evaluated.known_version(home, set_name, version or "current")
    if action == "add":
        with home.lock(who="flywheel results"):
            evaluated.add(home, set_name, (_read(file) if file else _told(**said)) | {"version": at})
            renew(home, set_name, at)
    found = evaluated.results(home, set_name, at)
    table = evaluated.table(found)
    answer = {"set": set_name, "version": at, "runs": [r.model_dump() for r in found], "scores": table}
    tell(answer, as_json, report.score_table(set_name, at, table))


def _read(file: Path) -> dict[str, Any]:
    """A result from a file. Raises `ResultInvalid` when it holds no JSON object."""
    try:
        told = json.loads(file.read_bytes())
    except ValueError as e:
        raise ResultInvalid(f"{file} is no JSON ({e}). Expected an object with run and scores.") from None
    if not isinstance(told, dict):
        raise ResultInvalid(f"{file} holds no JSON object. Expected one with run and scores.")
    return told


def _told(
    run: str | None, model: str, teacher: bool, scores: tuple[str, ...], n: int | None, se: float | None, lower: bool
) -> dict[str, Any]:
    """A result from options."""
    if run is None or not scores:
        raise click.UsageError("name the --run, and at least one --score NAME=VALUE; or a --file.")
    parted = [s.rpartition("=") for s in scores]
    return {
        "run": run,
        "model": model,
        "role": "teacher" if teacher else "student",
        "scores": [
            {"name": name, "value": value, "n": n, "se": se, "better": "lower" if lower else "higher"}
            for name, _, value in parted
        ],
    }
