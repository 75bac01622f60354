"""Checks on releases: the files that trainers read are those of the manifest."""

from pathlib import Path

import pytest

from flywheel.home import Home
from tests.homes import Ran

pytestmark = pytest.mark.slow
CHECK = "export_is_whole"


def spoil(file: Path) -> None:
    file.chmod(0o600)
    file.write_bytes(file.read_bytes() + b"{}\n")


def test_a_whole_release_passes(finished: tuple[Home, Ran]) -> None:
    for name, files in (("answers_release", 5), ("verdicts_release", 6)):  # KTO has its weights beside it
        found = finished[1].checks[name, CHECK]
        assert found.passed
        assert found.blocking
        assert f"0 of {files} exported files missing or changed" in (found.description or "")


@pytest.mark.parametrize("fault", ["changed", "missing"])
def test_a_damaged_file_fails_with_the_cure(home: Home, fault: str) -> None:
    file = home.exports / "answers" / "current" / "train.jsonl"
    spoil(file) if fault == "changed" else file.unlink()
    ran = Ran(home, job="check")
    assert not ran.checks["answers_release", CHECK].passed
    assert "1 of 5 exported files missing or changed" in (ran.checks["answers_release", CHECK].description or "")
    assert "Delete the export folder of this version" in (ran.checks["answers_release", CHECK].description or "")
    assert ran.checks["verdicts_release", CHECK].passed
    assert not ran.success


def test_the_next_build_makes_the_damaged_release_whole(home: Home) -> None:
    file = home.exports / "answers" / "current" / "train.jsonl"
    sound = file.read_bytes()
    spoil(file)
    ran = Ran(home)
    assert ran.checks["answers_release", CHECK].passed
    assert (home.exports / "answers" / "current" / "train.jsonl").read_bytes() == sound
