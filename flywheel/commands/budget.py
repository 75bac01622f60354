"""`flywheel budget`."""

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.quantity.budget import UNKNOWNS, Budget, examples_of, solved


@click.command(short_help="What data a budget buys, or what data costs.")
@click.option("--money", type=click.FloatRange(min=0), help="All there is to spend.")
@click.option("--examples", type=click.FloatRange(min=0), help="Examples.")
@click.option("--price", type=click.FloatRange(min=0), help="Of one annotation.")
@click.option("--overlap", type=click.FloatRange(min=0), default=0.0, help="Share that a second person annotates, too.")
@click.option("--compute", type=click.FloatRange(min=0), default=0.0, help="Money for training.")
@click.option(
    "--compute-share", type=click.FloatRange(min=0, max=1, max_open=True), help="The same, as a share of the money."
)
@click.option("--judge-tokens", type=click.FloatRange(min=0), default=0.0, help="Tokens that judging an example takes.")
@click.option("--judge-price", type=click.FloatRange(min=0), default=0.0, help="Of a million such tokens.")
@click.option("--tokens", type=click.FloatRange(min=0), help="Tokens of all examples, in place of --examples.")
@click.option("--tokens-per-example", type=click.FloatRange(min=0, min_open=True), help="Tokens of one example.")
@click.option(
    "--solve",
    type=click.Choice(UNKNOWNS),
    help="What to find. Default: money, examples or price, whichever is not given.",
)
@shared
def budget(
    tokens: float | None,
    tokens_per_example: float | None,
    solve: str | None,
    home_path: str | None,
    as_json: bool,
    **terms: float | None,
) -> None:
    """Solve money = examples x (price x (1 + overlap) + judging) + compute for whichever is not given.

    With --tokens and --tokens-per-example alone: how many examples that is.

    \b
    Example: flywheel budget --money 10000 --price 2 --compute 2000 --overlap 0.3
    """
    if tokens is not None and tokens_per_example is None:
        raise click.UsageError("--tokens and --tokens-per-example go together; give both.")
    if tokens is not None and tokens_per_example is not None:
        terms["examples"] = examples_of(tokens, tokens_per_example)
    alone = tokens is not None and terms["money"] is None and terms["price"] is None and solve is None
    found = {"examples": terms["examples"] or 0.0} if alone else solved(Budget.model_validate(terms), solve)
    if tokens_per_example is not None:
        found |= {"tokens": found["examples"] * tokens_per_example, "tokens_per_example": tokens_per_example}
    told = [f"  {name.replace('_', ' '):<20} {value:>20,.10g}" for name, value in found.items()]
    tell(found, as_json, Text("\n".join(told)))
