"""`flywheel lint-prompt`."""

import click
from rich.text import Text

from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command("lint-prompt", short_help="Hold a serving prompt against a released set.")
@click.argument("set_name", metavar="SET")
@click.argument("prompt")
@shared
def lint_prompt(set_name: str, prompt: str, home_path: str | None, as_json: bool) -> int:
    """Whether PROMPT has the form the released SET was trained on: OK, MISSING_SUFFIX, EXTRA_PREFIX, TRAILING_SPACE and so on.

    \b
    Example: flywheel lint-prompt food_labels 'burger -->'
    """
    from flywheel.formats.prompts import PromptInvalid, lint_prompt, released_prompts, trained_form
    from flywheel.stages.export import current

    if (version := current(Home.open(home_path).exports / set_name)) is None:
        raise PromptInvalid(f'no version of "{set_name}" is released. Run: flywheel build')
    found = lint_prompt(prompt, trained_form(released_prompts(version)))
    place = (
        ""
        if found.at is None
        else f" at character {found.at}" + (f", expected {found.expected!r}" if found.expected else "")
    )
    tell({"code": found.code, "at": found.at, "expected": found.expected}, as_json, Text(found.code + place))
    return 0 if found.code == "OK" else 1
