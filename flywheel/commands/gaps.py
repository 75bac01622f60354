"""`flywheel gaps`."""

from pathlib import Path

import click

from flywheel import report
from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="What sets are short of, and the plan that would close it.")
@click.option("--set", "set_name", metavar="NAME", help="Only this set.")
@click.option("--all", "everything", is_flag=True, help="Print what is covered, too.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan as JSON Lines to this file."
)
@shared
def gaps(set_name: str | None, everything: bool, out: Path | None, home_path: str | None, as_json: bool) -> None:
    """The coverage of each set that shall cover something, and its acquisition plan: rows to annotate, synthesise, collect or perturb.

    \b
    Example: flywheel gaps --set support_sft --out plan.jsonl
    """
    from flywheel.coverage.covered import gaps as of

    found, plan = of(Home.open(home_path), set_name)
    if out is not None:
        plan.write_ndjson(out)
    shown = found.to_dicts() if everything or as_json else [line for line in found.to_dicts() if line["replacing"]]
    tell({"coverage": shown, "plan": plan.to_dicts()}, as_json, report.coverage_gaps(shown, plan.to_dicts()))
