"""Only snapshots are handed on: what carries no derivation is refused, with the cure."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.io import DatasetIO, published
from assets.resources import HomeResource
from flywheel.home import Home
from flywheel.lineage import Dataset, Derivation, Part, cause
from flywheel.storage.snapshots import Snapshot

IDS = pl.DataFrame({"id": ["a", "b"]})


def dataset(rows: pl.DataFrame) -> Dataset:
    parts = [Part("all", cause("test", rows.write_csv()), lambda: {"rows": rows})]
    return Dataset("things", {"rows": rows.schema}, parts, Derivation(operation="test"))


@pytest.fixture
def home(tmp_path: Path) -> HomeResource:
    Home.create(tmp_path / "home")
    return HomeResource(path=str(tmp_path / "home"))


@pytest.mark.parametrize("answer", [IDS, IDS.lazy(), None, {"id": "a"}, dataset(IDS)])
def test_what_is_no_snapshot_is_refused(home: HomeResource, answer: object) -> None:
    with pytest.raises(dg.Failure) as failed:
        DatasetIO(path=home.path).handle_output(dg.build_output_context(asset_key=dg.AssetKey("things")), answer)  # type: ignore[arg-type]
    assert failed.value.description == (
        f"things returned {type(answer).__name__}. Return published(home, stage, …): a Dataset carries the derivation that "
        "lineage is made of."
    )
    assert failed.value.allow_retries is False


def test_a_data_frame_stops_the_run_without_a_retry(home: HomeResource) -> None:
    calls = []

    @dg.asset(io_manager_key="datasets", retry_policy=dg.RetryPolicy(max_retries=2))
    def things() -> pl.DataFrame:
        calls.append(1)
        return IDS

    done = dg.materialize([things], resources={"datasets": DatasetIO(path=home.path)}, raise_on_error=False)
    assert not done.success
    assert len(calls) == 1


def test_a_snapshot_is_handed_on(home: HomeResource) -> None:
    made = published(home, dataset, IDS).value
    io = DatasetIO(path=home.path)
    io.handle_output(dg.build_output_context(asset_key=dg.AssetKey("things")), made)
    loaded = io.load_input(dg.build_input_context(asset_key=dg.AssetKey("things")))
    assert isinstance(loaded, Snapshot)
    assert loaded.version == made.version
    assert loaded.scan().collect().equals(IDS)


def test_an_input_that_was_never_made_says_so(home: HomeResource) -> None:
    with pytest.raises(dg.Failure) as failed:
        DatasetIO(path=home.path).load_input(dg.build_input_context(asset_key=dg.AssetKey("nothing")))
    assert "nothing" in (failed.value.description or "")
    assert failed.value.allow_retries is False


def test_the_data_version_is_the_content(home: HomeResource) -> None:
    once, again, other = (published(home, dataset, rows) for rows in (IDS, IDS, IDS.head(1)))
    assert once.data_version == again.data_version == dg.DataVersion(once.value.version)
    assert other.data_version != once.data_version
