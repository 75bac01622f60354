"""The home folder: made once, kept for ever, opened only when whole, held by one writer at a time."""

import os
import sqlite3
import stat
import subprocess
import sys

import polars as pl
import pytest
import yaml

from flywheel.errors import FlywheelError, HomeBusy, HomeMissing
from flywheel.home import FOLDERS, Home, chosen_home, disk_errors


def test_create_scaffolds_a_whole_home(tmp_path):
    home = Home.create(tmp_path / "deep" / "home")
    assert all((home.path / folder).is_dir() for folder in FOLDERS)
    assert home.recipe().name == "my-flywheel"
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    assert len(home.secret) == 32
    assert Home.open(home.path) == home


def test_create_keeps_what_is_there(tmp_path):
    home = Home.create(tmp_path / "h", recipe='name = "mine"')
    key = home.key_file.read_bytes()
    (home.path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    again = Home.create(tmp_path / "h")
    assert again.recipe().name == "mine"
    assert again.key_file.read_bytes() == key
    assert (home.path / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_two_homes_have_two_keys(tmp_path):
    assert Home.create(tmp_path / "a").secret != Home.create(tmp_path / "b").secret


def test_the_scaffold_of_dagster_is_understood_by_dagster(tmp_path):
    dagster = pytest.importorskip("dagster")
    home = Home.create(tmp_path / "h")
    settings = yaml.safe_load((home.path / "dagster.yaml").read_text())
    with dagster.DagsterInstance.from_config(str(home.path)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_retries_enabled
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        assert instance.get_settings("retention") == settings["retention"]


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [("x", "y", "x"), (None, "y", "y"), (None, None, "home"), (None, "", "home")],
)
def test_which_home_is_chosen(tmp_path, monkeypatch, given, environment, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HOME", raising=False)
    if environment is not None:
        monkeypatch.setenv("FLYWHEEL_HOME", environment)
    assert chosen_home(given) == tmp_path / expected


def test_open_says_how_to_make_one(tmp_path):
    with pytest.raises(
        HomeMissing, match=rf"no flywheel home at {tmp_path / 'none'}.*Run: flywheel init {tmp_path / 'none'}"
    ):
        Home.open(tmp_path / "none")


def test_a_lost_key_is_not_replaced_in_silence(tmp_path):
    home = Home.create(tmp_path / "h")
    home.key_file.unlink()
    with pytest.raises(HomeMissing, match=r"has lost pseudonym\.key.*Restore it from a backup"):
        Home.open(home.path)


def test_a_home_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeMissing, match=r"cannot be made: Not a directory\. Name a folder you may write to"):
        Home.create(tmp_path / "file" / "home")


HOLD = """
import sys
from pathlib import Path
from flywheel.home import Home
with Home(Path(sys.argv[1])).lock(who="flywheel build"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    """A home that another process holds."""
    home = Home.create(tmp_path / "h")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    )
    assert other.stdout.readline() == b"held\n"
    yield home, other
    other.kill()
    other.wait()


def test_a_held_home_is_busy_and_says_who_has_it(held):
    home, other = held
    with (
        pytest.raises(
            HomeBusy, match=rf"another flywheel build \(process {other.pid}\) is at work in .*Wait for it to end"
        ),
        home.lock(),
    ):
        pytest.fail("two held one home")


def test_a_killed_holder_lets_go(held):
    home, other = held
    other.kill()
    other.wait()
    with home.lock(), pytest.raises(HomeBusy), home.lock():
        pytest.fail("two held one home")


def test_waiting_for_the_lock(held):
    home, other = held
    other.stdin.close()
    with home.lock(wait=20.0):
        assert other.wait(5) == 0


def behind(error):
    """An error that another one led to."""
    try:
        try:
            raise error
        except Exception as e:
            raise RuntimeError("step failed") from e
    except RuntimeError as e:
        return e


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, os.strerror(28)), "the disk is full: nothing half-written was kept"),
        (OSError(122, os.strerror(122)), "the disk is full: "),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full: "),
        (sqlite3.OperationalError("disk I/O error"), "the disk is full or failing: "),
        (behind(pl.exceptions.ComputeError("No space left on device (os error 28)")), "the disk is full: "),
        (OSError(2, os.strerror(2)), None),
        (sqlite3.OperationalError("database is locked"), None),
    ],
)
def test_a_full_disk_is_a_sentence_whoever_met_it(error, said):
    with pytest.raises(FlywheelError if said else type(error)) as e, disk_errors():
        raise error
    assert said is None or said in str(e.value)


def test_other_sentences_pass_through():
    with pytest.raises(HomeMissing, match="no home"), disk_errors():
        raise HomeMissing("no home")
