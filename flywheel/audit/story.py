"""What lineage found, as people read it in the terminal. Text from logs is never read as markup."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import RenderableType
from rich.text import Text

from flywheel.report import plain

Fact = Mapping[str, Any]
FILES = 10
"""Raw files that are named."""
KINDS = {"lines": "line", "calls": "call", "events": "event", "examples": "example"}
OF = {
    "user": "calls and feedback of one user",
    "file": "lines of a raw file",
    "line": "line of a raw file",
    "source": "what a source read",
    "conversation": "turns of a session",
    "model": "replies a model wrote",
    "app": "calls of an application",
    "operator": "what an operator changed or left out",
    "guideline": "what was labelled by a guideline",
    "id": "row",
}


def release_story(found: Fact) -> RenderableType:
    """A released version: every stage behind it, nearest first, and what it stands on."""
    text = Text()
    text.append(f"{plain(found['set'])} {found['version']}", style="bold")
    text.append(f"  ({found['path']})\n")
    text.append("\nMade by\n", style="bold")
    for s in found["stages"]:
        text.append(f"  {plain(s['name']):<16} {s['version'][:12]}  ", style="cyan")
        text.append(f"{s['operation']} of {', '.join(s['inputs']) or 'nothing'}\n")
        text.append(f"    {plain(', '.join(s['steps'])) or 'no operator'}\n", style="dim")
    text.append(f"\nStands on {found['raw_files']:,} raw files; it has {found['files']:,} files.\n")
    return text


def trace_story(found: Fact) -> RenderableType:
    """Where something went: counts of all of it, then the rows that are listed."""
    counts = found["counts"]
    text = Text()
    text.append(plain(found["value"]), style="bold")
    text.append(f"  ({OF[found['by']]})\n")
    _uses(text, found["uses"])
    text.append("\nComes from\n", style="bold")
    for f in found["files"][:FILES]:
        text.append(f"  {f['lines']:>9,} {f['kind']} lines of {plain(f['name'] or 'a raw file that is gone')}")
        text.append(f"  sha256 {f['file'][:16]}\n", style="dim")
    if more := found["files"][FILES:]:
        text.append(f"  {sum(f['lines'] for f in more):>9,} lines of {len(more):,} more files\n")
    if not found["files"]:
        text.append("  no line\n", style="dim")
    text.append("\nBecame\n", style="bold")
    about = f", and {counts['events_about']:,} events about them" if counts["events_about"] else ""
    text.append(f"  {counts['calls']:,} conversations, {counts['events']:,} feedback events{about}\n")
    for s in found["stands"]:
        why = f"left out ({s['dataset']}): {s['reason']}" if s["reason"] else "in the pool"
        text.append(f"  {s['calls']:>9,} {plain(why)}\n", style="dim")
    for e in found["edits"]:
        text.append(f"  {e['calls']:>9,} changed by {e['edit']} ({e['count']:,} times)\n", style="dim")
    text.append("\nIs in\n", style="bold")
    for s in found["sets"]:
        text.append(f"  {s['set']} {s['version']}  {s['examples']:,} of {s['rows']:,}")
        text.append(f" ({s['validation']:,} in validation)  {standing(s)}\n", style="dim")
    if not found["sets"]:
        text.append("  no set\n", style="dim")
    _rows(text, found)
    return text


def standing(version: Fact) -> str:
    """What a version of a set is: released, candidate, or an earlier one."""
    told = [
        name
        for name, so in (
            ("current release", version["current"]),
            ("earlier release", version["released"] and not version["current"]),
            ("candidate", version["candidate"] and not version["released"]),
            ("earlier candidate", version["superseded"]),
            ("all made with it", version.get("made_with")),
        )
        if so
    ]
    return ", ".join(told)


def _uses(text: Text, uses: Sequence[Fact]) -> None:
    """The snapshots an operator took part in, and those that were made of these."""
    direct = [u for u in uses if u["direct"]]
    for u in direct:
        state = "newest" if u["head"] else "earlier"
        which = "" if u["operator_version"] is None else f", version {u['operator_version']}"
        text.append(f"  took part in {u['dataset']} {u['version']} ({state}){which} ")
        text.append(f"{plain(u['parameters'])}\n", style="dim")
    if more := len(uses) - len(direct):
        text.append(f"  {more:,} further snapshots were made of {'these' if len(direct) > 1 else 'this'}\n")


def _rows(text: Text, found: Fact) -> None:
    """The rows that are listed, with the place of each."""
    if found["lines"]:
        text.append("\nLines\n", style="bold")
    for r in found["lines"]:
        stands = "" if r["stands"] == "row" else f", {r['stands']}; {r['kept_id']} stands for it"
        text.append(
            f"  {plain(r['name'])} line {r['line']:,}, byte {r['byte_offset']:,} → {plain(r['id'])}{plain(stands)}\n"
        )
    if found["calls"]:
        text.append("\nConversations\n", style="bold")
    for r in found["calls"]:
        why = f": {', '.join(r['reasons'])}" if r["reasons"] else ""
        instead = f"; {r['instead']} is kept instead" if r["instead"] else ""
        text.append(f"  {plain(r['id'])}  {r['stands']}{plain(why)}{plain(instead)}\n")
    if found["events"]:
        text.append("\nFeedback\n", style="bold")
    for r in found["events"]:
        whose = "" if r["own"] else "about it: "
        text.append(
            f"  {plain(r['feedback_id'])}  {whose}{r['kind']} on {plain(r['of'] or 'no call yet')}, {r['status']}\n"
        )
    if found["examples"]:
        text.append("\nExamples\n", style="bold")
    for r in found["examples"]:
        where = f"line {r['line']:,} of {r['file']}" if r["line"] is not None else "not exported"
        now = "  (current)" if r["current"] else ""
        text.append(f"  {r['set']} {r['version']}  {plain(r['example'])}  {r['split']}, {where}{now}\n")
    hidden = {k: found["counts"][k] - len(found[k]) for k in ("calls", "lines")}
    if more := [f"{n:,} {k}" for k, n in hidden.items() if n > 0]:
        text.append(f"… and {' and '.join(more)} more (--limit, or all of them with --out FILE)\n", style="dim")


def write_rows(path: Path, reached: Mapping[str, Sequence[Fact]]) -> None:
    """Every row reached, as JSON Lines; `what` says whether it is a line, a call, an event or an example."""
    with path.open("wb") as file:
        for name, rows in reached.items():
            file.writelines(
                orjson.dumps({"what": KINDS[name], **row}, option=orjson.OPT_APPEND_NEWLINE) for row in rows
            )
