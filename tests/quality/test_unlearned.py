"""Behaviours as checks."""

import pytest

from flywheel.filters.behaviour import Behaviour
from flywheel.quality.expectations import judge
from flywheel.quality.unlearned import measured, target
from flywheel.stages.curate import screen
from flywheel.storage.snapshots import Store
from tests.filters.test_behaviour import FACTS, pool
from tests.pools import labels_of, snapshot


@pytest.mark.parametrize(("rewritten", "passed"), [(5, False), (0, True)])
def test_row_15_a_behaviour_that_was_found_warns_with_the_task_and_is_gone_from_the_pool(tmp_path, rewritten, passed):
    rule = Behaviour(name="unasked_rewrite", detector="unasked_rewrite", among=FACTS, subject="fact-checks")
    store = Store(tmp_path)
    calls = pool(40 - rewritten, rewritten, 10)
    conversations = snapshot(store, "conversations", {"rows": calls})
    nothing = snapshot(store, "measurements", {"rows": calls.select("id", "day")})
    labels = snapshot(store, "labels", {"rows": labels_of()})
    screened = store.publish(screen(conversations, nothing, labels, (), [rule], b"k" * 32))
    assert screened.count() == 50 - rewritten
    assert screened.count("rejected") == rewritten
    (finding,) = judge([target(rule)], measured([rule], screened))
    assert (finding.passed, finding.blocking, finding.n) == (passed, False, 40)
    if not passed:
        assert "12.5% of 40 fact-checks show unasked rewrite and are left out" in finding.summary
        assert "task: 5+ plain fact-checks" in finding.summary


def test_without_behaviours_nothing_is_measured(tmp_path):
    screened = snapshot(Store(tmp_path), "screened", {"rows": pool(1, 0, 0)})
    assert measured([], screened).is_empty()
