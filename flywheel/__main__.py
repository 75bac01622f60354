"""The command line: `flywheel COMMAND`. It reads arguments, calls the engine and prints; it decides nothing."""

import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console, RenderableType
from rich.text import Text

from flywheel import __version__, report
from flywheel.errors import FlywheelError, HomeMissing, RawUnreadable
from flywheel.home import Home, bring_sample_benchmarks, chosen_home, disk_errors, sample_recipe
from flywheel.logs.raw import KINDS, RawFile, refuse_no_log

F = TypeVar("F", bound=Callable[..., Any])

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


def shared(command: F) -> F:
    """The two options of every command."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)
    return click.option(
        "--home", "home_path", metavar="FOLDER", help="The home folder. Default: $FLYWHEEL_HOME, then ./home."
    )(command)


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


@cli.command(short_help="Make a home folder.")
@click.argument("folder", required=False, metavar="[HOME]")
@shared
def init(folder: str | None, home_path: str | None, as_json: bool) -> None:
    """Make a home folder: a commented recipe.toml, an inbox, Dagster's settings. What is there is kept.

    \b
    Example: flywheel init home
    """
    if folder and home_path and chosen_home(folder) != chosen_home(home_path):
        raise click.UsageError(f"two homes are named, {folder} and {home_path}; name one.")
    path = chosen_home(folder or home_path)
    known = (path / "recipe.toml").exists()
    home = Home.create(path)
    answer = {"home": str(path), "created": not known, "recipe": str(home.recipe_file), "inbox": str(home.inbox)}
    at = f" --home {path}"
    done = f"{'The home' if known else 'A new home'} {path} is ready.\n"
    tell(
        answer,
        as_json,
        f"{done}  Say what you want in {home.recipe_file}\n  Bring logs and feedback: flywheel ingest FILE{at}\n  Then: flywheel build{at}",
    )


@cli.command(short_help="Bring log and feedback files.")
@click.argument("paths", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@shared
def ingest(paths: tuple[str, ...], home_path: str | None, as_json: bool) -> int:
    """Check log and feedback files and keep them. Formats are recognised; a folder means the files in it.

    Lines that cannot be read go to quarantine and the others go on; the same file or line twice adds nothing.

    \b
    Example: flywheel ingest logs/ feedback/2026-03-02.jsonl.gz
    """
    home = Home.open(home_path)
    answer, faults = take_in(home, [Path(p) for p in paths])
    tell(
        answer | ({"errors": faults} if faults else {}), as_json, report.ingest_summary(str(home.path), answer, faults)
    )
    return RawUnreadable.exit_code if faults else 0


@cli.command(short_help="Run the graph; make, check and release the sets.")
@click.option(
    "--trial", type=click.IntRange(min=1), metavar="N", help="Only try it: on N conversations, in HOME/trial."
)
@shared
def build(trial: int | None, home_path: str | None, as_json: bool) -> int:
    """Run the whole graph: read, label, measure, curate, assemble, check, release. What is unchanged is not made again.

    With --trial, all of it on a sample of N conversations and in an area of its own: nothing of the home is touched.

    \b
    Example: flywheel build --trial 1000 && flywheel build
    """
    home = Home.open(home_path)
    return built(home, as_json, trial)


@cli.command(short_help="Judge every dataset as it stands.")
@shared
def check(home_path: str | None, as_json: bool) -> int:
    """Judge every dataset as it stands. Exit code 1 when a blocking check fails.

    \b
    Example: flywheel check && ./train.sh
    """
    home = Home.open(home_path)
    home.store.head("raw_files")  # else there is nothing to judge
    with progress("checking") as say, silence():
        from assets import launch

        result = launch.check(home, say)
    tell(result, as_json, report.check_summary(result))
    return 0 if result["success"] else 1


@cli.command(short_help="Where one row came from and where it went.")
@click.argument("id")
@shared
def why(id: str, home_path: str | None, as_json: bool) -> None:
    """Walk one row back to the bytes of every log and feedback line behind it, and forward to every set that holds it.

    ID is an id of ours, your application's own, an example's (rows.parquet of an export) or a feedback event's.

    \b
    Example: flywheel why openai_chat:req_81
    """
    home = Home.open(home_path)
    from flywheel.storage.catalog import Catalog

    with progress("opening the catalog"), Catalog.open(home) as catalog:
        story = catalog.why(id)
    tell(story, as_json, report.why_story(story))


@cli.command(short_help="What changed in a set between two versions.")
@click.argument("set_name", metavar="SET")
@click.argument("old", default="previous")
@click.argument("new", default="current")
@click.option("--limit", default=20, show_default=True, help="Examples of each kind to print.")
@shared
def diff(set_name: str, old: str, new: str, limit: int, home_path: str | None, as_json: bool) -> None:
    """What changed in a set between two versions, and why.

    OLD and NEW: candidate, current, previous, or the start of a version. Without them: previous and current.

    \b
    Example: flywheel diff support_sft previous current
    """
    home = Home.open(home_path)
    from flywheel.audit import difference

    with progress("comparing"):
        change = difference.diff(home, set_name, old, new)
    tell(change, as_json, report.diff_story(change, limit))


@cli.command(short_help="Show the lines that could not be read.")
@click.option("--limit", default=20, show_default=True, help="Lines to print.")
@click.option("--reason", help="Only lines quarantined for this reason.")
@shared
def quarantine(limit: int, reason: str | None, home_path: str | None, as_json: bool) -> None:
    """The lines that could not be read: where, why, and their bytes (control characters escaped).

    \b
    Example: flywheel quarantine --reason not_json
    """
    home = Home.open(home_path)
    found = quarantined(home, reason)
    shown = found if as_json else found[:limit]
    reasons = sorted({q["reason"] for q in found})
    tell(
        {"total": len(found), "by_reason": {r: sum(q["reason"] == r for q in found) for r in reasons}, "lines": shown},
        as_json,
        report.quarantined(shown, len(found)),
    )


@cli.command(short_help="The largest groups of duplicates, and what leaving them out shifts.")
@click.option("--axis", "axes", multiple=True, metavar="COLUMN", help="A column to compare by; may be repeated.")
@click.option("--limit", default=12, show_default=True, help="Groups, and values of each axis, to print.")
@shared
def clusters(axes: tuple[str, ...], limit: int, home_path: str | None, as_json: bool) -> None:
    """The largest groups of duplicates with the row kept of each, and the shares of each value before and after.

    Without --axis: language, app, model and the words of the reply.

    \b
    Example: flywheel clusters --axis language --axis app
    """
    from flywheel.duplicates import clusters as of

    found = of.report(Home.open(home_path).store, axes, limit)
    tell(found, as_json, report.cluster_report(found))


@cli.command(short_help="What each operator costs, and the cheapest order of the edits.")
@click.option(
    "--sample", default=2000, show_default=True, type=click.IntRange(min=1), help="Conversations to measure on."
)
@click.option(
    "--apply", "applied", is_flag=True, help="Print the edits in that order, to be put into recipe.toml by you."
)
@shared
def order(sample: int, applied: bool, home_path: str | None, as_json: bool) -> int:
    """Measure what each operator costs and removes, propose the cheapest order of the edits, and prove on the sample that it
    gives the same bytes. Nothing is changed: filters are evaluated in one pass, in any order; edits that feed each other stay.

    \b
    Example: flywheel order --sample 5000 --apply
    """
    from dataclasses import asdict

    from flywheel.tuning import ordering

    home = Home.open(home_path)
    with progress("measuring"):
        found = ordering.propose(home, sample)
    edits = ordering.snippet(home.recipe(), found.proposed) if applied else ""
    answer = asdict(found) | {"changes": found.changes} | ({"edits": edits} if applied else {})
    tell(answer, as_json, Text(edits) if applied else report.order_table(answer))
    return 0 if found.equal else 1


@cli.command(short_help="The rows a person should look at.")
@click.option("--queue", type=click.Choice(["held", "active"]), help="Only rows of this queue.")
@click.option("--limit", default=20, show_default=True, help="Rows to print.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every row as JSON Lines to this file."
)
@shared
def review(queue: str | None, limit: int, out: Path | None, home_path: str | None, as_json: bool) -> None:
    """The review queue, what to look at first on top: held rows, and the batches the recipe asks for. Ids and reasons, no text.

    \b
    Example: flywheel review --queue held --out held.jsonl
    """
    from flywheel.stages.review import waiting

    home = Home.open(home_path)
    rows = waiting(home.store.head("review"), queue)
    if out is not None:
        rows.write_ndjson(out)
    shown = (rows if as_json else rows.head(limit)).to_dicts()
    names = dict(rows.group_by("name").len().sort("name").iter_rows())
    tell({"total": rows.height, "by_name": names, "rows": shown}, as_json, report.review_queue(shown, rows.height))


@cli.command(short_help="What a filter would reject, before it is enabled.")
@click.argument("rule")
@click.option("--limit", default=10, show_default=True, help="Ids to show.")
@click.option("--save", metavar="NAME", help="Then append it to the recipe under this name.")
@shared
def preview(rule: str, limit: int, save: str | None, home_path: str | None, as_json: bool) -> None:
    """How many of the rows that pass today's filters RULE would reject. RULE is the body of a [[filter]] table; without --save
    nothing changes.

    \b
    Example: flywheel preview 'use = "too_short"
    min_words = 12' --save too_short
    """
    from flywheel.tuning import preview as of

    home = Home.open(home_path)
    rule = of.named(rule, save) if save else rule
    found = of.preview(of.screened_rows(home.store), of.parse_filter(rule), limit)
    if save:
        of.save(home.recipe_file, rule, found)
    text = f"{found.reason} would reject {found.count:,} of {found.of:,} rows" + "".join(f"\n  {i}" for i in found.ids)
    told = f"\nSaved in {home.recipe_file}; the next flywheel build leaves them out." if save else ""
    tell(asdict(found) | {"saved": bool(save)}, as_json, Text(text + told))


@cli.command("lint-prompt", short_help="Hold a serving prompt against a released set.")
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


@cli.command(short_help="Examine the home and this machine.")
@click.option("--port", default=3000, show_default=True, help="The port the UI would use.")
@shared
def doctor(port: int, home_path: str | None, as_json: bool) -> int:
    """Examine the home and this machine; every finding that is not well says what to do.

    \b
    Example: flywheel doctor --home home
    """
    from flywheel.audit.doctor import examine

    with progress("examining"):
        found = [d._asdict() for d in examine(Home(chosen_home(home_path)), port)]
    well = all(d["ok"] for d in found)
    tell({"success": well, "diagnoses": found}, as_json, report.diagnoses(found))
    return 0 if well else 1


@cli.command(short_help="Dagster's UI and daemon, with sensors.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port on 127.0.0.1.")
@shared
def up(port: int, home_path: str | None, as_json: bool) -> int:
    """Dagster's UI and daemon on 127.0.0.1: the graph, the checks, sensors on the inbox, a daily build. Ctrl-C ends it.

    \b
    Example: flywheel up --port 3001
    """
    home = Home.open(home_path)
    from assets import launch

    def say(message: str) -> None:
        tell({"url": f"http://127.0.0.1:{port}", "home": str(home.path)}, as_json, message)

    return launch.up(home, port, say)


@cli.command(short_help="The bundled sample, from logs to sets.")
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


def built(home: Home, as_json: bool, trial: int | None = None) -> int:
    """Run the graph and print what came out."""
    from flywheel.logs.inbox import refused, waiting

    home.recipe()
    if not home.raw.files() and not any(waiting(home)):
        raise FlywheelError(
            f"there is nothing to build from: no log file has come to {home.path} yet. Run: flywheel ingest FILE --home {home.path}"
        )
    with progress("starting Dagster") as say, silence():
        from assets import launch

        result = launch.build(home, progress=say) if trial is None else launch.trial(home, trial, say)
        for told in refused(home):
            say(f"not taken from the inbox: {told}")
    tell(result, as_json, report.build_summary(str(home.path), result))
    return 0 if result["success"] else 1


def take_in(home: Home, paths: Sequence[Path]) -> tuple[dict[str, Any], list[str]]:
    """Keep files in the raw store and read them. Returns the contract of `ingest --json` and a sentence per file refused."""
    from flywheel.sources import SOURCES
    from flywheel.stages import ingest as stage

    faults: list[str] = []
    taken: list[tuple[Path, RawFile, bool]] = []
    with progress("reading") as say, home.lock(who="flywheel ingest"):
        for path in paths:
            files, wrong = log_files(path)
            faults += wrong
            for file in files:
                say(f"reading {file.name}")
                try:
                    if file.is_file():
                        refuse_no_log(file)
                    taken.append((file, *home.raw.keep(file)))
                except RawUnreadable as e:
                    faults.append(str(e))
        say(f"sorting {len(taken)} file{'s' if len(taken) != 1 else ''} into conversations and feedback")
        arrivals = [f.digest for f in home.raw.files()]
        files_made = home.store.publish(stage.read_files(home.raw, home.secret))
        conversations = home.store.publish(stage.conversations(files_made, arrivals))
        feedback = home.store.publish(stage.feedback(files_made, arrivals))
    given = {raw.digest for _, raw, _ in taken}
    new = {raw.digest for _, raw, is_new in taken if is_new}
    answer = stage.ingest_report(files_made, conversations, feedback, given, given - new)
    counted = {f["digest"]: f for f in answer["files"]}
    answer["files"] = []
    for path, raw, is_new in taken:
        facts = counted[raw.digest]
        if raw.digest in new and not is_new:  # the same content a second time in one command
            facts = facts | {"accepted": 0, "quarantined": 0, "repeated": facts["read"]}
            answer["read"] += facts["read"]
            answer["repeated"] += facts["read"]
        answer["files"].append({"path": str(path), "new": is_new} | facts)
        if is_new and facts["read"] and facts["quarantined"] == facts["read"]:
            faults.append(
                f"no line of {path} could be read; see why: flywheel quarantine --home {home.path}. "
                f"Formats: {', '.join(SOURCES)}."
            )
    return answer, faults


def log_files(path: Path) -> tuple[list[Path], list[str]]:
    """The files a path means, and a sentence where it means none. A folder means every log file below it.

    Hidden files, links that leave the folder and the manifest of a replay are passed over.
    """
    if not path.is_dir():
        return [path], []
    root = path.resolve()
    found = [
        p
        for p in sorted(path.rglob("*"))
        if p.name.lower().endswith(KINDS)
        and p.is_file()
        and p.resolve().is_relative_to(root)
        and not any(part.startswith(".") for part in p.relative_to(path).parts)
        and not is_one_document(p)
    ]
    if not found:
        return [], [f"the folder {path} holds no log file; expected names that end with {', '.join(KINDS)}."]
    return found, []


def is_one_document(path: Path) -> bool:
    """Whether a .json file is one pretty-printed document (a manifest, a configuration) and not JSON Lines."""
    if path.suffix.lower() != ".json":
        return False
    try:
        with path.open("rb") as f:
            json.loads(f.readline())
    except (ValueError, OSError):
        return True
    return path.name == "manifest.json"


def quarantined(home: Home, reason: str | None) -> list[dict[str, Any]]:
    """Quarantined lines in the order of arrival, their bytes as text with what is not UTF-8 escaped."""
    import polars as pl

    head = home.store.head("raw_files")
    arrival = {f.digest: f for f in home.raw.files()}
    lines = head.scan("quarantine").filter(pl.lit(True) if reason is None else pl.col("reason") == reason).collect()
    found = [
        {
            "file": str(f.path) if (f := arrival.get(q["file"])) else None,
            "name": f.name if f else q["file"],
            "file_digest": q["file"],
        }
        | {"line": q["line"], "byte_offset": q["offset"], "reason": q["reason"], "detail": q["detail"]}
        | {"raw": (q["raw"] or b"").decode("utf-8", "backslashreplace")}
        for q in lines.iter_rows(named=True)
    ]
    order = {digest: n for n, digest in enumerate(arrival)}
    return sorted(found, key=lambda q: (order.get(q["file_digest"], len(order)), q["file_digest"], q["line"]))


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
