"""The command line: `flywheel COMMAND`. Each command is a file of `flywheel/commands/`."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from flywheel import __version__
from flywheel.commands import commands
from flywheel.commands.terminal import fail
from flywheel.errors import FlywheelError
from flywheel.home import disk_errors

EXIT_CODES = """\b
Exit codes
  0  done; nothing blocking failed
  1  a build or a check failed, or what was asked for is not there
  2  wrong usage, broken recipe, missing home, unreadable file, port in use
  3  the home is busy: another build is at work
  4  a fault in flywheel itself (FLYWHEEL_DEBUG=1 shows the trace)
  130  interrupted

\b
Every command takes --home FOLDER (default: $FLYWHEEL_HOME, then ./home) and --json.
"""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="flywheel")
def cli() -> None:
    """Production logs and feedback in; checked, traceable finetuning sets out.

    \b
    flywheel demo                       see it work on the bundled sample
    flywheel init home                  make a home of your own
    flywheel ingest logs/ feedback/     bring logs and feedback
    flywheel build                      make the sets the recipe asks for
    flywheel up                         the same in Dagster's UI, with sensors
    """


for command in commands():
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command. Returns the exit code; a failure is one sentence, never a stack trace."""
    as_json = "--json" in arguments
    try:
        with disk_errors():
            code = cli.main(args=list(arguments), prog_name="flywheel", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.UsageError as e:
        at = f" Try: {e.ctx.command_path} --help" if e.ctx else ""
        return fail(e.format_message() + at, 2, as_json)
    except click.ClickException as e:
        return fail(e.format_message(), 2, as_json)
    except (KeyboardInterrupt, click.Abort):
        return fail("interrupted; what was finished is kept.", 130, as_json)
    except FlywheelError as e:
        return fail(str(e), e.exit_code, as_json)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # whoever read has gone; Python must not complain when it ends
        return 0
    except Exception as e:
        if os.environ.get("FLYWHEEL_DEBUG"):
            traceback.print_exc()
        if isinstance(e, OSError) and e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return fail(
                f"{e.filename or 'a file'} cannot be written: {e.strerror}. Nothing half-written was kept; mend that, then run this again.",
                1,
                as_json,
            )
        return fail(
            f"{type(e).__name__}: {e}. This is a fault of flywheel; run with FLYWHEEL_DEBUG=1 for the trace, and please report it.",
            4,
            as_json,
        )


def main() -> NoReturn:
    """The `flywheel` script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
