"""The home folder: everything a user owns. Deleting it deletes everything; copying it copies everything."""

import errno
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import resources
from pathlib import Path

from flywheel.errors import FlywheelError, HomeBusy, HomeMissing
from flywheel.logs.raw import RawFile, RawStore
from flywheel.recipe import Recipe, read_recipe
from flywheel.storage.snapshots import Store, replace_synced
from flywheel.tuning import trial
from flywheel.workers import cores

SCAFFOLD = "scaffold"
FOLDERS = ("inbox/logs", "inbox/feedback", "raw", "snapshots", "exports")


def chosen_home(given: str | os.PathLike[str] | None = None) -> Path:
    """The home to use: the one given, else FLYWHEEL_HOME, else ./home."""
    return Path(given or os.environ.get("FLYWHEEL_HOME") or "home").expanduser().absolute()


@dataclass(frozen=True)
class Home:
    """One home folder."""

    path: Path

    @classmethod
    def create(cls, path: Path, recipe: str | None = None) -> "Home":
        """Scaffold a home: a commented recipe, the inbox, Dagster's settings. What is already there is kept.

        Raises `HomeMissing` when the folder cannot be made.
        """
        home = cls(path)
        try:
            for folder in FOLDERS:
                (path / folder).mkdir(parents=True, exist_ok=True)
            for name in ("recipe.toml", "dagster.yaml"):
                text = resources.files("flywheel").joinpath(SCAFFOLD, name).read_text(encoding="utf-8")
                if name == "recipe.toml" and recipe is not None:
                    text = recipe
                if not (path / name).exists():
                    replace_synced(path / name, text.encode())
            if not home.key_file.exists():
                replace_synced(home.key_file, secrets.token_hex(32).encode(), mode=0o600)
        except OSError as e:
            raise HomeMissing(
                f"the home {path} cannot be made: {e.strerror}. Name a folder you may write to, with --home or FLYWHEEL_HOME."
            ) from None
        return home

    @classmethod
    def open(cls, given: str | os.PathLike[str] | None = None) -> "Home":
        """The home, checked to be one. Raises `HomeMissing`, saying how to make it."""
        path = chosen_home(given)
        if not (path / "recipe.toml").exists():
            raise HomeMissing(f"no flywheel home at {path}: there is no recipe.toml in it. Run: flywheel init {path}")
        if not (path / "pseudonym.key").exists():
            raise HomeMissing(
                f"the home {path} has lost pseudonym.key, by which users are made pseudonymous. Restore it from a backup; "
                f"a new one (flywheel init {path}) would give every user a new pseudonym."
            )
        return cls(path)

    @property
    def key_file(self) -> Path:
        """The secret that pseudonyms are made with. Never exported."""
        return self.path / "pseudonym.key"

    @cached_property
    def secret(self) -> bytes:
        """The pseudonym key."""
        return bytes.fromhex(self.key_file.read_text().strip())

    @property
    def recipe_file(self) -> Path:
        """What the user wishes."""
        return self.path / "recipe.toml"

    def recipe(self) -> Recipe:
        """The recipe, read and validated now; people it names are pseudonyms in it, as they are in rows.

        That of a trial is judged on its sample.
        """
        folder, size = self.recipe_file.resolve().parent, trial.size_of(self.path)
        recipe = read_recipe(self.recipe_file).sealed(folder, self.secret)
        return recipe if size is None else trial.on_trial(recipe, size)

    @cached_property
    def store(self) -> Store:
        """The snapshots."""
        return Store(self.path / "snapshots", workers=cores())

    @cached_property
    def raw(self) -> RawStore:
        """The raw files."""
        return RawStore(self.path / "raw", partial(_sifted, self.path), partial(_brought_back, self.path))

    @property
    def inbox(self) -> Path:
        """Where log and feedback files are dropped: `logs/` and `feedback/` below it."""
        return self.path / "inbox"

    @property
    def exports(self) -> Path:
        """Where released sets lie."""
        return self.path / "exports"

    @property
    def catalog_file(self) -> Path:
        """The DuckDB file derived from the snapshots; may be deleted at any time."""
        return self.path / "catalog.duckdb"

    @contextmanager
    def lock(self, wait: float = 0.0, who: str = "flywheel build") -> Iterator[None]:
        """Hold the home for writing. Raises `HomeBusy` when another process still has it after `wait` seconds.

        The operating system lets go of it when the process ends, however it ends.
        """
        until = time.monotonic() + wait
        try:
            file = (self.path / ".lock").open("a+")
        except OSError as e:
            raise HomeMissing(f"the home {self.path} cannot be written: {e.strerror}. Check its permissions.") from None
        with file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise HomeBusy(
                            f"{self._holder()} is at work in {self.path}, and only one build may run at a time. "
                            "Wait for it to end, then run this again."
                        ) from None
                    time.sleep(0.2)
            file.seek(0)
            file.truncate()
            file.write(json.dumps({"pid": os.getpid(), "who": who}))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def _holder(self) -> str:
        try:
            facts = json.loads((self.path / ".lock").read_text())
            return f"another {facts['who']} (process {facts['pid']})"
        except (OSError, ValueError, KeyError):
            return "another build"


FULL = {
    "No space left on device": "full",
    "disk is full": "full",
    "Disk quota exceeded": "full",
    "disk I/O error": "full or failing",
}
"""How the packages that write for us say that there is no room, and what it means."""


def disk_fault(error: BaseException | None) -> str | None:
    """What is wrong with the disk, if that is what a failure, or one behind it, is about: "full", "full or failing"."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "full"
        if told := next((meaning for words, meaning in FULL.items() if words in str(error)), None):
            return told
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the failure of a full disk into a sentence, whichever package met it."""
    try:
        yield
    except FlywheelError:
        raise
    except Exception as e:
        if (fault := disk_fault(e)) is None:
            raise
        raise FlywheelError(
            f"the disk is {fault}: nothing half-written was kept and earlier releases are untouched. Free some space, then run this again."
        ) from e


def _sifted(home: Path, store: RawStore, file: RawFile) -> RawFile:
    """A file on its way into the raw store, without the lines of somebody who is forgotten. The key is read when it is needed: a
    folder that is no home yet has none."""
    from flywheel.erasure.suppression import sift

    return sift(Home(home).secret, store, file)


def _brought_back(home: Path, file: RawFile, whole: Path, name: str) -> RawFile:
    """A kept file that is received again, with the lines of those whose suppression was lifted."""
    from flywheel.erasure.lifting import brought_back

    return brought_back(Home(home), file, whole, name)


def bring_sample_benchmarks(home: Home) -> None:
    """Lay the bundled sample's benchmark files where its recipe looks for them. What is there is kept."""
    folder = home.path / "benchmarks"
    folder.mkdir(exist_ok=True)
    for file in resources.files("flywheel").joinpath("sample", "benchmarks").iterdir():
        if not (folder / file.name).exists():
            replace_synced(folder / file.name, file.read_bytes())


def sample_recipe() -> str:
    """The recipe of the bundled sample."""
    return resources.files("flywheel").joinpath("sample", "recipe.toml").read_text(encoding="utf-8")
