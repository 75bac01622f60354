"""The home in a run: locked for its length, swept of what a killed run left, and its failures told in a sentence."""

import errno
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.resources import HomeResource, bury, sentences
from flywheel.errors import FlywheelError, HomeBusy, RawChanged
from flywheel.home import Home

STATUS = dg.DagsterRunStatus


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "home")


def run(home: Home, asset: dg.AssetsDefinition, wait: float = 0.0) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [asset], resources={"home": HomeResource(path=str(home.path), wait=wait)}, raise_on_error=False
    )


def test_the_home_is_locked_for_the_length_of_a_run(home: Home) -> None:
    seen = []

    @dg.asset
    def looks(home: HomeResource) -> None:
        with pytest.raises(HomeBusy) as busy, home.home.lock(0.0):
            pass
        seen.append(str(busy.value))

    assert run(home, looks).success
    assert "only one build may run at a time" in seen[0]
    with home.lock(0.0):
        pass  # free again


def test_a_busy_home_fails_the_run(home: Home) -> None:
    @dg.asset
    def works(home: HomeResource) -> None:
        raise AssertionError("must not come to this")

    resources = {"home": HomeResource(path=str(home.path), wait=0.0)}
    with home.lock(0.0, "flywheel ingest"), pytest.raises(dg.DagsterResourceFunctionError) as failed:
        dg.materialize([works], resources=resources)
    assert isinstance(failed.value.__cause__, dg.Failure)
    assert str(failed.value.__cause__.description).startswith("another flywheel ingest (process ")


def test_what_a_killed_run_left_half_made_is_swept(home: Home) -> None:
    left = home.store.staging / "half"
    left.mkdir(parents=True)
    (left / "rows.parquet").write_bytes(b"PAR1")

    @dg.asset
    def works(home: HomeResource) -> None: ...

    assert run(home, works).success
    assert not left.exists()


@pytest.mark.parametrize("status", [STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING])
def test_dead_runs_are_buried(status: dg.DagsterRunStatus) -> None:
    job = dg.GraphDefinition(name="build").to_job()
    with dg.DagsterInstance.ephemeral() as instance:
        dead = instance.create_run_for_job(job, status=status)
        bury(instance)
        assert instance.get_run_by_id(dead.run_id).status == STATUS.FAILURE  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [STATUS.SUCCESS, STATUS.CANCELED, STATUS.NOT_STARTED])
def test_runs_that_are_not_at_work_are_left_alone(status: dg.DagsterRunStatus) -> None:
    job = dg.GraphDefinition(name="build").to_job()
    with dg.DagsterInstance.ephemeral() as instance:
        other = instance.create_run_for_job(job, status=status)
        bury(instance)
        assert instance.get_run_by_id(other.run_id).status == status  # type: ignore[union-attr]


def test_ones_own_run_and_young_runs_are_not_buried() -> None:
    job = dg.GraphDefinition(name="build").to_job()
    with dg.DagsterInstance.ephemeral() as instance:
        mine, young = (instance.create_run_for_job(job, status=STATUS.STARTED) for _ in range(2))
        bury(instance, keep=mine.run_id, older_than=3600)
        assert {instance.get_run_by_id(r.run_id).status for r in (mine, young)} == {STATUS.STARTED}  # type: ignore[union-attr]
        bury(instance, keep=mine.run_id)
        assert instance.get_run_by_id(mine.run_id).status == STATUS.STARTED  # type: ignore[union-attr]
        assert instance.get_run_by_id(young.run_id).status == STATUS.FAILURE  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RawChanged("a.jsonl changed. Restore it."), "a.jsonl changed. Restore it."),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (pl.exceptions.ComputeError("No space left on device"), "the disk is full"),
    ],
)
def test_what_the_user_can_act_on_is_a_sentence_and_not_retried(error: Exception, says: str) -> None:
    with pytest.raises(dg.Failure) as failed, sentences():
        raise error
    assert says in (failed.value.description or "")
    assert failed.value.allow_retries is False


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EIO, "I/O error"), pl.exceptions.ComputeError("x")])
def test_other_errors_pass_unchanged_and_may_be_retried(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, sentences():
        raise error
    assert raised.value is error


def test_a_broken_recipe_is_told_when_it_is_read(home: Home) -> None:
    home.recipe_file.write_text('name = "x"\n[[filter]]\nuse = "to_short"\n')
    with pytest.raises(dg.Failure) as failed:
        HomeResource(path=str(home.path)).recipe()
    assert "too_short" in (failed.value.description or "")
    assert isinstance(failed.value.__cause__, FlywheelError)
