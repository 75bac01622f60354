"""Commands: one per file, found by its file name. A command reads arguments, calls the engine and prints; it decides nothing."""

import importlib
import pkgutil
from collections.abc import Iterator

import click

NO_COMMANDS = frozenset({"terminal"})
"""Modules of this folder that hold what commands share."""


def commands() -> Iterator[click.Command]:
    """The command of each file: `lint_prompt.py` defines the function `lint_prompt`, which is `flywheel lint-prompt`."""
    for name in sorted({info.name for info in pkgutil.iter_modules(__path__)} - NO_COMMANDS):
        yield getattr(importlib.import_module(f"{__name__}.{name}"), name)
