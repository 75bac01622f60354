"""Checks on labels: each passes on a sound home, and each that blocks keeps every set from being released."""

import pytest

from flywheel.home import Home
from flywheel.quality.targets import TARGETS
from tests.homes import Ran, blocking, doctor, drop, exported, out_of_bounds, thumb

pytestmark = pytest.mark.slow
ASSETS = ("labels",)


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


def test_feedback_without_its_call_warns_with_the_next_step(home: Home) -> None:
    # The last event, two weeks later, shows that the calls of the others did not just come late.
    drop(home, "feedback/lost.jsonl", *[thumb(n, up=True) for n in (*range(24, 34), 200)])
    ran = Ran(home)
    found = ran.checks["labels", "feedback_finds_its_call"]
    assert not found.passed
    assert found.severity.value == "WARN"
    assert "at most 5% allowed. Ingest the logs of the missing calls" in (found.description or "")
    assert ran.success
