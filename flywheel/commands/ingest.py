"""`flywheel ingest`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.errors import RawUnreadable
from flywheel.home import Home
from flywheel.logs.raw import KINDS, RawFile, refuse_no_log


@click.command(short_help="Bring log and feedback files.")
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


def take_in(home: Home, paths: Sequence[Path]) -> tuple[dict[str, Any], list[str]]:
    """Keep files in the raw store and read them. Returns the contract of `ingest --json` and a sentence per file refused."""
    from flywheel.erasure.forget import blank
    from flywheel.sources import SOURCES
    from flywheel.stages import ingest as stage

    faults: list[str] = []
    taken: list[tuple[Path, RawFile, bool]] = []
    with progress("reading") as say, home.lock(who="flywheel ingest"):
        blank(home)  # of an erasure that a killed run began, so that nobody comes in before they are on the list
        before = {file.digest: file.forgotten for file in home.raw.files()}
        for path in paths:
            files, wrong = log_files(path)
            faults += wrong
            for file in files:
                say(f"reading {file.name}")
                try:
                    if file.is_file():
                        refuse_no_log(file)
                    taken.append((file, *home.raw.keep(file, name_of(file, path))))
                except RawUnreadable as e:
                    faults.append(str(e))
        say(f"sorting {len(taken)} file{'s' if len(taken) != 1 else ''} into conversations and feedback")
        arrivals = [f.digest for f in home.raw.files()]
        files_made = home.store.publish(stage.read_files(home.raw, home.secret))
        conversations = home.store.publish(stage.conversations(files_made, arrivals))
        feedback = home.store.publish(stage.feedback(files_made, arrivals))
    given = {raw.digest for _, raw, _ in taken}
    new = {raw.digest for _, raw, is_new in taken if is_new}
    back = {
        raw.digest: before[raw.digest] - raw.forgotten for _, raw, is_new in taken if is_new and raw.digest in before
    }
    answer = stage.ingest_report(files_made, conversations, feedback, given, given - (new - set(back)), back)
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


def name_of(file: Path, given: Path) -> str:
    """What a file is called: its path as it was given, or below the folder that was. Of an absolute path only the end is told."""
    told = Path(given.name) if given.is_absolute() else given
    return (told / file.relative_to(given)).as_posix()


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
