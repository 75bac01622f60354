"""The gate is read again for the very snapshot that is released, and the order of releases is kept."""

from types import SimpleNamespace

import pytest

from flywheel.errors import ReleaseRefused
from flywheel.kinds import Threshold
from flywheel.quality.expectations import Finding
from flywheel.quality.targets import set_targets
from flywheel.rights.registry import Registry
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.releases import released
from flywheel.storage.releasing import keep_verdicts, release, verdicts
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import published, screened_of

WANTED = Sft(name="support", export=("openai",))
OTHER = Sft(name="support", export=("openai",), check={"no_split_leaks": Threshold(max=3)})


def finding(target, passed=True):
    facts = {"metric": target.metric, "observed": 0.0, "bound": target.bound, "summary": "1 of 9 groups"}
    return Finding(name=target.name, passed=passed, severity=target.severity, blocking=target.blocking, n=9, **facts)


@pytest.fixture
def home(tmp_path):
    """What a release asks of a home."""
    recipe = SimpleNamespace(name="test", digest="0" * 32, rights=Registry(), loop=None, serving=None)
    return SimpleNamespace(store=Store(tmp_path / "snapshots"), exports=tmp_path / "exports", recipe=lambda: recipe)


def candidate(home, n):
    """A candidate made of `n` calls."""
    rows = [
        chat(f"user: q{i}", f"assistant: r{i}", id=f"r{i}", conversation_id=f"c{i}", user=f"u{i}") for i in range(n)
    ]
    made = published(home.store, screened_of(*rows))
    return home.store.publish(assemble(WANTED, Inputs(**made), 1, (), b"k" * 32))


def judge(home, snapshot, failed=(), wanted=WANTED):
    targets = set_targets(wanted)
    keep_verdicts(home, snapshot, targets, [finding(t, t.name not in failed) for t in targets])


def test_a_judged_candidate_is_released_and_remembered(home):
    versions = []
    for n in (20, 30, 20):
        judge(home, candidate(home, n))
        versions.append(release(home, WANTED).version)
        release(home, WANTED)  # again: nothing new
    assert versions[0] == versions[2] != versions[1]
    assert released(home, "support") == versions


def test_a_failed_check_refuses_and_the_release_before_stays(home):
    judge(home, candidate(home, 20))
    before = release(home, WANTED)
    judge(home, candidate(home, 30), failed=("no_split_leaks",))
    with pytest.raises(ReleaseRefused, match="no_split_leaks failed: 1 of 9 groups"):
        release(home, WANTED)
    assert (home.exports / "support" / "current").resolve() == before.path.resolve()
    assert released(home, "support") == [before.version]


def test_a_verdict_holds_for_its_snapshot_and_its_bounds_only(home):
    first = candidate(home, 20)
    judge(home, first)
    assert len(verdicts(home, first, set_targets(WANTED))) == len(set_targets(WANTED))
    assert verdicts(home, first, set_targets(OTHER)) == []  # the recipe moved a bound since
    candidate(home, 30)
    with pytest.raises(ReleaseRefused, match="no_split_leaks has no verdict for this version; run: flywheel build"):
        release(home, WANTED)
    assert not home.exports.exists()
