"""`flywheel advise`."""

from dataclasses import asdict

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home
from flywheel.quantity.advisor import advise as advice_of
from flywheel.quantity.advisor import task_of
from flywheel.quantity.tokens_of_sets import lengths


@click.command(short_help="PEFT or full finetuning, of which base, with so many rows.")
@click.argument("set_name", metavar="[SET]", required=False)
@click.option("--rows", type=click.IntRange(min=1), help="Rows to train on. Default: those of SET.")
@click.option(
    "--complexity", type=click.FloatRange(0, 1), help="Of the task, from 0 to 1. Default: as SET shows it, else 0.5."
)
@click.option("--base", type=click.FloatRange(min=0, min_open=True), help="Parameters of the base model, such as 7e9.")
@shared
def advise(
    set_name: str | None,
    rows: int | None,
    complexity: float | None,
    base: float | None,
    home_path: str | None,
    as_json: bool,
) -> None:
    """What to do with so many rows, with reasons and where each comes from; and how many rows such a task is likely to need.

    \b
    Example: flywheel advise support_sft --base 7e9
    """
    if set_name is None and rows is None:
        raise click.UsageError("say which set, or how many rows: flywheel advise SET, or flywheel advise --rows 300.")
    if set_name is not None:
        examples = lengths(Home.open(home_path).store.head(set_name))
        rows = rows or max(examples.height, 1)
        complexity = task_of(examples).complexity if complexity is None else complexity
    advice = advice_of(rows or 1, 0.5 if complexity is None else complexity, base)
    text = Text(f"{advice.suggestion}\n", style="bold")
    text.append(
        f"  {advice.rows:,} rows, complexity {advice.complexity:g}: such a task may need {advice.need:,}\n", style=""
    )
    for said, source in (*advice.reasons, *advice.notes):
        text.append(f"  - {said}\n", style="").append(f"    ({source})\n", style="dim")
    tell(asdict(advice), as_json, text)
