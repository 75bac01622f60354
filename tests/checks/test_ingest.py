"""Checks on what came in: each passes on a sound home, and each that blocks keeps every set from being released."""

import pytest

from flywheel.home import Home
from flywheel.quality.targets import TARGETS
from tests.homes import Ran, blocking, doctor, drop, exported, out_of_bounds

pytestmark = pytest.mark.slow
ASSETS = ("raw_files", "conversations", "feedback")


@pytest.mark.parametrize("asset", ASSETS)
def test_a_sound_home_passes(finished: tuple[Home, Ran], asset: str) -> None:
    checks = {name: e for (a, name), e in finished[1].checks.items() if a == asset}
    assert set(checks) == {t.name for t in TARGETS[asset]}
    assert all(e.passed for e in checks.values())


@pytest.mark.parametrize(("asset", "check"), blocking(*ASSETS))
def test_a_failure_blocks_every_release(home: Home, monkeypatch: pytest.MonkeyPatch, asset: str, check: str) -> None:
    target = next(t for t in TARGETS[asset] if t.name == check)
    doctor(monkeypatch, asset, target.metric, out_of_bounds(target))
    before = exported(home)
    ran = Ran(home)
    assert not ran.success
    assert not ran.checks[asset, check].passed
    assert ran.released == set()
    assert exported(home) == before


def test_a_changed_raw_byte_is_found_and_named(home: Home) -> None:
    raw = next(f for f in home.raw.files() if b"Please" in f.path.read_bytes())
    raw.path.chmod(0o600)
    raw.path.write_bytes(raw.path.read_bytes().replace(b"Please", b"plEase", 1))
    ran = Ran(home)
    found = ran.checks["raw_files", "raw_bytes_are_unchanged"]
    assert not found.passed
    assert "1 of 2 raw files changed" in (found.description or "")
    assert "first.jsonl" in (found.description or "")
    assert ran.released == set()


def test_unreadable_lines_warn_and_block_nothing(home: Home) -> None:
    drop(home, "logs/bad.jsonl", *[{"neither": n} for n in range(9)])

    ran = Ran(home)
    found = ran.checks["raw_files", "most_lines_are_readable"]
    assert not found.passed
    assert found.severity.value == "WARN"
    assert "at most 2% allowed. Look at the reasons" in (found.description or "")
    assert ran.success
    assert ran.released == {"answers_release", "verdicts_release"}
