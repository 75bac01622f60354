"""What a person reads in the terminal of an erasure: what would go, what went, and what is kept from coming back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from flywheel.erasure.receipt import FOLDER, LIFTED, RAW
from flywheel.report import plain

BY = {
    "user": "said by them",
    "conversation": "of the conversation",
    "call": "of their calls, and what was said of these",
    "line": "the very line",
    "source": "of that source",
    "mention": "of others, which name them",
}


def would_go(kind: str, stock: Mapping[str, Any]) -> RenderableType:
    """What an erasure would remove, before anything is."""
    text = Text()
    text.append(
        f"Would forget one {kind}: {sum(stock['lines'].values()):,} lines of {len(stock['files'])} raw files\n",
        style="bold",
    )
    for by, n in stock["lines"].items():
        text.append(f"  {n:>9,}  {BY.get(by, by)}\n")
    text.append("Rows of datasets, and examples, that would go\n", style="bold")
    for name, n in stock["rows"].items():
        text.append(f"  {n:>9,}  {name}\n")
    for title, found in (
        ("Versions of sets that hold them", stock["versions"]),
        ("Models trained on these", stock["runs"]),
    ):
        if found:
            text.append(f"{title}\n", style="bold")
    for v in stock["versions"]:
        where = ", current release" if v["current"] else ", released" if v["released"] else ""
        text.append(f"  {v['examples']:>9,}  {v['set']} {v['version']}{where}\n")
    for r in stock["runs"]:
        text.append(f"             {plain(r['run'])} on {r['set']} {r['version']}\n")
    text.append("Nothing was erased. To do it: the same command with --yes\n", style="yellow")
    return text


def would_suppress() -> RenderableType:
    """What a request comes to for a user of whom nothing is there."""
    text = Text("Nothing of that user is in this home: no line and no name of a raw file.\n", style="bold")
    text.append("Nothing was done. To keep them from coming in: the same command with --yes\n", style="yellow")
    return text


def gone(home: Path, made: Mapping[str, Any]) -> RenderableType:
    """What was removed, the proof, and where the receipt lies."""
    proof, text = made["proof"], Text()
    raw = proof["searched"] == RAW
    lines = f"Forgot {sum(made['lines'].values()):,} lines of {len(made['files'])} raw files.\n"
    text.append("Nothing of them was there; they are kept from coming in.\n" if raw else lines, style="bold")
    text.append(
        f"  Searched {proof['files']:,} {'raw ' if raw else ''}files, {proof['unpacked']:,} bytes unpacked, for {proof['sought']:,} values: "
    )
    text.append(
        "nothing found.\n" if proof["clean"] else "something is left.\n", style="green" if proof["clean"] else "red"
    )
    for name in made["left"]:
        text.append(f"  ✗ {plain(name)} is your own file: remove them from it.\n", style="red")
    for told in made["rebuilt"].get("sets", ()):
        state = "released" if told["released"] else "not released, see flywheel build"
        text.append(f"  {told['name']} {str(told['version'])[:12]}: {told['rows']:,} examples, {state}\n")
    for told in made["rebuilt"].get("errors", ()):
        text.append(f"  ✗ {plain(told['error'])}\n", style="red")
    for r in made["runs"]:
        text.append(
            f"  Trained on them, and not undone by this: {plain(r['run'])} ({r['set']} {r['version']})\n",
            style="yellow",
        )
    text.append(f"Receipt: {home / FOLDER / made['id']}.md\n")
    return text


def entries(told: Mapping[str, Any]) -> RenderableType:
    """What is kept from coming back, and what was lifted; names nobody."""
    text = Text()
    text.append("Kept from coming back\n" if told["suppressed"] else "Nobody is kept from coming back.\n", style="bold")
    for e in told["suppressed"]:
        text.append(f"  {e['id']:<12}  {e['kind'] or 'several':<12}  {e['began']:<25}  {e['digests']:>9,} digests\n")
    if told["lifted"]:
        text.append("Lifted\n", style="bold")
    for e in told["lifted"]:
        text.append(f"  {e['id']:<12}  {e['kind'] or 'several':<12}  {e['lifted']:<25}  {e['digests']:>9,} digests\n")
    return text


def lifted(home: Path, told: Mapping[str, Any]) -> RenderableType:
    """What lifting an entry comes to, or came to."""
    text = Text()
    text.append(
        f"{'Lifted' if told['lifted'] else 'Would lift'} {told['id']}: {told['digests']:,} digests\n", style="bold"
    )
    if told["still"]:
        text.append(f"  {told['still']:,} of them stand in another entry, too, and stay suppressed.\n")
    text.append(
        "Lines that were made blank come back only when a file that has them is given again; the next build has them.\n"
    )
    for f in told["files"]:
        text.append(f"  {f['lines']:>9,} lines  {plain(f['name'])} (SHA-256 {f['file'][:16]})\n")
    if told["lifted"]:
        text.append(f"Receipt: {home / FOLDER / (told['id'] + LIFTED)}.md\n")
    else:
        text.append("Nothing was lifted. To do it: the same command with --yes\n", style="yellow")
    return text
