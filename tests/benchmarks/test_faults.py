"""Faults in their short form: each of them once, against a small home. The long form: python benchmarks/faults.py --runs 20"""

from pathlib import Path

import pytest

from benchmarks.faults import FAULTS, Ground, Skipped


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A built home, and what an undisturbed build makes of more logs."""
    return Ground(Path(tmp_path_factory.mktemp("ground")))


@pytest.mark.fault
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost(ground: Ground, fault: str) -> None:
    try:
        broken = FAULTS[fault](ground, 1)
    except Skipped as e:
        pytest.skip(str(e))
    assert broken == []
