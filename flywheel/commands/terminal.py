"""What every command has in common: its two options, and how it tells what it found."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TypeVar

import click
from rich.console import Console, RenderableType

from flywheel import report

F = TypeVar("F", bound=Callable[..., Any])


def shared(command: F) -> F:
    """The two options of every command."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)
    return click.option(
        "--home", "home_path", metavar="FOLDER", help="The home folder. Default: $FLYWHEEL_HOME, then ./home."
    )(command)


def tell(answer: dict[str, Any], as_json: bool, text: RenderableType) -> None:
    """Print the answer: one JSON object, or text for a person."""
    if as_json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, default=str) + "\n")
    else:
        report.console().print(text, crop=False)
    sys.stdout.flush()


@contextmanager
def silence() -> Iterator[None]:
    """Keep what packages print off the terminal; with FLYWHEEL_DEBUG it goes to stderr. Our own lines go where they went."""
    sink = sys.stderr if os.environ.get("FLYWHEEL_DEBUG") else io.StringIO()
    with redirect_stdout(sink), redirect_stderr(sink):
        yield


@contextmanager
def progress(doing: str) -> Iterator[Callable[[str], None]]:
    """Say on stderr what is being done: a spinner on a terminal, a line each otherwise."""
    err = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
    if not err.is_terminal:
        yield lambda message: click.echo(report.plain(message), file=err.file)
        return
    with err.status(doing) as status:
        yield lambda message: status.update(report.plain(message))


def fail(message: str, code: int, as_json: bool) -> int:
    """One sentence on stderr; with --json, an object on stdout too, for whoever parses it."""
    lines = "\n".join(report.plain(line) for line in message.splitlines())
    click.echo(f"flywheel: {lines}", err=True)
    if as_json:
        sys.stdout.write(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return code
