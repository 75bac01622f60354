"""The home as a Dagster resource: configured when used, not when imported, and locked for the length of a run."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
import polars as pl
from pydantic import PrivateAttr

from assets.events import Telling
from flywheel.erasure.forget import blank
from flywheel.erasure.lifting import end
from flywheel.errors import FlywheelError
from flywheel.home import Home, chosen_home, disk_errors
from flywheel.logs.raw import RawStore
from flywheel.recipe import Recipe
from flywheel.storage.snapshots import Store
from flywheel.tuning.trial import refuse_untried

ACTIVE = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@contextmanager
def sentences() -> Iterator[None]:
    """Turn an error the user can act on into a Dagster failure that says just that, and is not retried."""
    try:
        with disk_errors():
            yield
    except FlywheelError as e:
        raise dg.Failure(description=str(e), allow_retries=False) from e
    except pl.exceptions.ComputeError as e:
        if "No space left" not in str(e):
            raise
        raise dg.Failure(
            description=f"the disk is full: {e}. Free some space, then run this again.", allow_retries=False
        ) from e


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The flywheel home that assets and checks work in."""

    path: str = ""
    """The folder; empty for FLYWHEEL_HOME, then ./home."""
    wait: float = 600.0
    """Seconds to wait for another build to end before this run fails."""
    _home: Home | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["HomeResource"]:
        """Hold the home's lock during the run, clear away what a killed run left, and tell at the end what this one did."""
        with ExitStack() as held:
            with sentences():
                self._home = Home.open(self.path or None)
                telling = Telling(context, self._home)
                held.callback(telling.send)
                if context.run is None or context.run.job_name != "check":
                    refuse_untried(self._home, self._home.recipe())
                held.enter_context(self._home.lock(self.wait, "flywheel build"))
            blank(self._home)
            end(self._home)
            self._home.store.sweep()
            self._home.raw.sweep()
            telling.begin()
            bury(context.instance, keep=context.run_id)
            held.callback(telling.keep)
            yield self

    @property
    def home(self) -> Home:
        """The home itself."""
        if self._home is None:
            with sentences():
                self._home = Home.open(self.path or str(chosen_home()))
        return self._home

    @property
    def store(self) -> Store:
        """The snapshots."""
        return self.home.store

    @property
    def raw(self) -> RawStore:
        """The raw files."""
        return self.home.raw

    def recipe(self) -> Recipe:
        """The recipe, read now."""
        with sentences():
            return self.home.recipe()


def bury(instance: dg.DagsterInstance | None, keep: str | None = None, older_than: float = 0.0) -> None:
    """Mark runs that claim to be at work as failed, if they started more than `older_than` seconds ago.

    Only for whoever holds the home's lock: a run at work would hold it, so these are dead.
    """
    if instance is None:
        return
    for record in instance.get_run_records(dg.RunsFilter(statuses=ACTIVE)):
        run = record.dagster_run
        if run.run_id != keep and time.time() - record.create_timestamp.timestamp() >= older_than:
            instance.report_run_failed(
                run, "The process of this run ended before the run did. The next build takes up its work."
            )
