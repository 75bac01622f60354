"""One built home for the tests of assets."""

from pathlib import Path

import pytest

from flywheel.home import Home
from tests.homes import Ran, small_home


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that was built once; to be read only."""
    home = small_home(tmp_path_factory.mktemp("assets") / "home")
    assert Ran(home).success
    return home


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build in this process names its home in the environment; the test after it must not see that."""
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
