"""`flywheel economics`."""

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.errors import PlanInvalid
from flywheel.home import Home
from flywheel.quantity.economics import Serving, saving
from flywheel.quantity.tokens_of_sets import released_tokens


@click.command(short_help="What a shorter prompt saves, and when it has paid for training.")
@click.argument("set_name", metavar="[SET]", required=False)
@click.option("--before", type=click.FloatRange(min=0), help="Tokens of a prompt now. Default: as SET was logged.")
@click.option(
    "--after", type=click.FloatRange(min=0), help="Tokens of a prompt after finetuning. Default: as SET teaches."
)
@click.option("--calls", type=click.FloatRange(min=0, min_open=True), default=1e6, show_default=True, help="Calls.")
@click.option("--price", type=click.FloatRange(min=0), required=True, help="Of a million input tokens.")
@click.option("--tuned-price", type=click.FloatRange(min=0), help="The same of the finetuned model.")
@click.option("--training", type=click.FloatRange(min=0), default=0.0, help="What training costs.")
@shared
def economics(
    set_name: str | None,
    before: float | None,
    after: float | None,
    calls: float,
    price: float,
    tuned_price: float | None,
    training: float,
    home_path: str | None,
    as_json: bool,
) -> None:
    """What a shorter prompt, or a cheaper model, saves over so many calls.

    A finetuned model needs fewer instructions: a set with system = "drop" or "template" knows both lengths.

    \b
    Example: flywheel economics --before 420 --after 20 --calls 1e6 --price 0.15
    """
    if set_name is not None:
        told = released_tokens(Home.open(home_path).exports / set_name)
        before = told.get("prompt_as_logged", told["prompt"]) / told["examples"] if before is None else before
        after = told["prompt"] / told["examples"] if after is None else after
    if before is None or after is None:
        raise PlanInvalid("give --before and --after, in tokens, or a released SET.")
    found = saving(before, after, Serving(calls=calls, price=price, tuned_price=tuned_price, training=training))
    even = "never" if found.break_even_calls is None else f"after {found.break_even_calls:,.0f} calls"
    text = f"{found.tokens_per_call:,.0f} tokens a call fewer: {found.saved:,.2f} saved over {calls:,.0f} calls ({found.before:,.2f} before, {found.after:,.2f} after)."
    tell(found.told(), as_json, Text(text + (f"\nTraining for {training:,.2f} is paid {even}." if training else "")))
