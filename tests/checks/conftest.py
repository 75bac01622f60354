"""One built home for the tests of checks: each gets a copy of it."""

import shutil
from pathlib import Path

import pytest

from flywheel.home import Home
from tests.homes import Ran, small_home


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Ran]:
    """A home that was built once, without a fault, and what that run came to."""
    home = small_home(tmp_path_factory.mktemp("checks") / "home")
    return home, Ran(home)


@pytest.fixture
def home(finished: tuple[Home, Ran], tmp_path: Path) -> Home:
    """A copy of that home, to be spoiled."""
    return Home(shutil.copytree(finished[0].path, tmp_path / "home", symlinks=True))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build in this process names its home in the environment; the test after it must not see that."""
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
