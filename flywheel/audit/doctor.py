"""An examination of a home and of the machine it lives on: each finding is a sentence, and says what to do when it is not well."""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flywheel.audit import verify
from flywheel.erasure.forget import unfinished
from flywheel.erasure.receipt import receipts
from flywheel.errors import FlywheelError
from flywheel.home import FOLDERS, Home
from flywheel.logs.inbox import refused, waiting

PACKAGES = ("dagster", "dagster-webserver", "duckdb", "polars", "great-expectations", "openai", "pydantic")
LITTLE_SPACE = 1 << 30
"""Bytes of free disk below which a build may not end."""


class Diagnosis(NamedTuple):
    """One finding: what was examined, whether it is well, and a sentence."""

    name: str
    ok: bool
    sentence: str


def examine(home: Home, port: int = 3000) -> list[Diagnosis]:
    """Every finding on a home, in a fixed order. Nothing is changed, and a broken home is described, not refused."""
    examinations: dict[str, Callable[[], tuple[bool, str]]] = {
        "home": lambda: complete(home),
        "writable": lambda: writable(home),
        "recipe": lambda: recipe(home),
        "inbox": lambda: inbox(home),
        "raw files": lambda: raw_files(home),
        "snapshots": lambda: snapshots(home),
        "exports": lambda: exports(home),
        "caches": lambda: caches(home),
        "erasure": lambda: erasure(home),
        "catalog": lambda: catalog(home),
        "disk": lambda: disk(home),
        "lock": lambda: lock(home),
        "dagster": lambda: dagster_storage(home),
        "telemetry": lambda: telemetry(home),
        "port": lambda: free_port(port),
        "versions": versions,
    }
    if not home.path.is_dir():
        examinations = {name: examinations[name] for name in ("home", "port", "versions")}
    return [_guarded(name, e) for name, e in examinations.items()]


def _guarded(name: str, examination: Callable[[], tuple[bool, str]]) -> Diagnosis:
    """The finding, or the failure to find out, which is a finding too."""
    try:
        return Diagnosis(name, *examination())
    except FlywheelError as e:
        return Diagnosis(name, False, str(e))
    except Exception as e:  # whatever is broken is to be described, and the rest still examined
        return Diagnosis(name, False, f"could not be examined: {e}. Mend what is named before it in this list first.")


def complete(home: Home) -> tuple[bool, str]:
    """Whether everything a home must hold is there."""
    needed = ("recipe.toml", "pseudonym.key", "dagster.yaml", *FOLDERS)
    missing = [n for n in needed if not (home.path / n).exists()]
    if not home.path.is_dir():
        return (False, f"there is no folder {home.path}. Run: flywheel init {home.path}")
    if missing:
        key = (
            " Restore pseudonym.key from a backup: a new one gives every user a new pseudonym."
            if "pseudonym.key" in missing
            else ""
        )
        return (
            False,
            f"{home.path} lacks {', '.join(missing)}. Run: flywheel init {home.path} (it keeps what is there).{key}",
        )
    if home.key_file.stat().st_mode & 0o077:
        return (False, f"{home.key_file} can be read by others. Run: chmod 600 {home.key_file}")
    return (True, f"{home.path} is complete.")


def writable(home: Home) -> tuple[bool, str]:
    """Whether files can be made in the home."""
    try:
        with tempfile.NamedTemporaryFile(dir=home.path, prefix=".doctor-"):
            pass
    except OSError as e:
        return (False, f"{home.path} cannot be written: {e.strerror}. Check its owner and permissions.")
    return (True, "files can be made in it.")


def recipe(home: Home) -> tuple[bool, str]:
    """Whether the recipe is valid."""
    try:
        wish = home.recipe()
    except FlywheelError as e:
        return (False, str(e))
    return (
        True,
        f'"{wish.name}" asks for {len(wish.edit)} edits, {len(wish.filter)} filters and {len(wish.set)} sets.',
    )


def inbox(home: Home) -> tuple[bool, str]:
    """Whether every file in the inbox could be taken."""
    if bad := refused(home):
        return (False, f"{' '.join(bad)} Mend {'it' if len(bad) == 1 else 'them'}, or remove what is no log.")
    whole, settling = waiting(home)
    return (True, f"{len(whole)} files wait for the next build, {len(settling)} are still being written.")


def raw_files(home: Home) -> tuple[bool, str]:
    """Whether every raw file has the bytes it was received with."""
    part = verify.raw_files(home)
    return _hashed(part, f"{part.files:,} files have the bytes they were received with.")


def snapshots(home: Home) -> tuple[bool, str]:
    """Whether every stored table has its bytes, and every newest manifest its parts."""
    names = home.store.names()
    fine = f"{len(names)} datasets have the bytes they were published with." if names else "nothing was built yet."
    return _hashed(verify.snapshots(home), fine)


def exports(home: Home) -> tuple[bool, str]:
    """Whether every file of every export has the digest its manifest gives."""
    part = verify.exports(home)
    return _hashed(
        part, f"{part.files} files agree with their manifests." if part.files else "nothing was released yet."
    )


def caches(home: Home) -> tuple[bool, str]:
    """Whether the caches are whole."""
    part = verify.caches(home)
    return _hashed(part, f"{part.files} files are whole." if part.files else "nothing was cached yet.")


def erasure(home: Home) -> tuple[bool, str]:
    """Whether every erasure that was begun came to its end."""
    if unfinished(home) is not None:
        return (False, f"an erasure was begun and did not end. Run: flywheel build --home {home.path}")
    return (True, f"{len(receipts(home))} done, none open.")


def _hashed(part: verify.Part, fine: str) -> tuple[bool, str]:
    """A finding of `flywheel verify`, as one sentence."""
    if not part.damaged:
        return (True, fine)
    return (False, f"{' '.join(part.damaged[:5])}{' …' if len(part.damaged) > 5 else ''} {part.cure}")


def catalog(home: Home) -> tuple[bool, str]:
    """Whether the catalog can be opened."""
    from flywheel.storage.catalog import Catalog

    with Catalog.open(home) as opened:
        (n,) = (r["n"] for r in opened.rows("SELECT count(*) AS n FROM conversations"))
        where = (
            "in memory: its file cannot be opened or written (is another program holding it?)"
            if opened.in_memory
            else str(home.catalog_file)
        )
    return (True, f"{n:,} conversations, {where}.")


def disk(home: Home) -> tuple[bool, str]:
    """Whether there is room for a build."""
    free = shutil.disk_usage(home.path if home.path.exists() else Path.cwd()).free
    room = f"{free / (1 << 30):,.1f} GB free"
    return (
        free >= LITTLE_SPACE,
        f"{room}." if free >= LITTLE_SPACE else f"only {room}; a build may not end. Free some space.",
    )


def lock(home: Home) -> tuple[bool, str]:
    """Whether nobody else is at work in the home."""
    with home.lock(who="flywheel doctor"):
        return (True, "nobody else is at work in it.")


def dagster_storage(home: Home) -> tuple[bool, str]:
    """Whether Dagster's SQLite files, where there are any, are whole and can be written."""
    part = verify.dagster(home)
    if closed := [f for f in verify.dagster_files(home) if not os.access(f, os.W_OK)]:
        return (False, f"{closed[0]} cannot be written. Check its owner and permissions.")
    return _hashed(
        part, f"{part.files} storage files are whole." if part.files else "no run yet; its storage will be made here."
    )


def telemetry(home: Home) -> tuple[bool, str]:
    """Whether Dagster is told to send nothing."""
    import yaml

    settings = yaml.safe_load((home.path / "dagster.yaml").read_text(encoding="utf-8")) or {}
    if (settings.get("telemetry") or {}).get("enabled") is not False:
        return (
            False,
            f"{home.path / 'dagster.yaml'} does not switch it off. Add the lines: telemetry:, and below it, indented, enabled: false",
        )
    return (True, "off.")


def free_port(port: int) -> tuple[bool, str]:
    """Whether the UI could listen, or does."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return (True, f"{port} on 127.0.0.1 is free.")
        except OSError:
            pass
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2) as answer:
            if b"dagster_webserver_version" in answer.read(4096):
                return (True, f"Dagster's UI is running at http://127.0.0.1:{port}.")
    except (OSError, urllib.error.URLError, ValueError):
        pass
    return (False, f"{port} on 127.0.0.1 is in use by another program. Choose another: flywheel up --port {port + 1}")


def versions() -> tuple[bool, str]:
    """Python and the packages that results depend on."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    told = f"Python {platform.python_version()}, {', '.join(found)}"
    if missing or sys.version_info < (3, 11):
        return (
            False,
            f"{told}; missing: {', '.join(missing) or 'Python 3.11 or newer'}. Install flywheel again: make env",
        )
    return (True, f"{told}.")
