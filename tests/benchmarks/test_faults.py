"""Faults in their short form: once each, against a small home, those that no other test makes. The long form:
python benchmarks/faults.py --runs 20"""

from pathlib import Path

import pytest

from benchmarks.faults import FAULTS, Ground, Skipped

ELSEWHERE = {"kill_at_a_moment", "full_disk", "damaged_snapshot", "damaged_raw", "damaged_export", "missing_folder"}
"""What tests/test_bad_input.py and tests/test_flywheel.py break, too."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A built home, and what an undisturbed build makes of more logs."""
    return Ground(Path(tmp_path_factory.mktemp("ground")))


@pytest.mark.fault
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - ELSEWHERE))
def test_nothing_is_lost(ground: Ground, fault: str) -> None:
    try:
        broken = FAULTS[fault](ground, 1)
    except Skipped as e:
        pytest.skip(str(e))
    assert broken == []
