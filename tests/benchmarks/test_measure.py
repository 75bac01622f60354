import sys
from pathlib import Path

import pytest

from benchmarks import measure


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Runs a script that lies beside `measure`."""
    monkeypatch.setattr(measure, "__file__", str(tmp_path / "measure.py"))

    def run(body: str, limit: float):
        (tmp_path / "work.py").write_text(f"import subprocess, sys, time\n{body}\n")
        return measure.run(Path(sys.executable), "work.py", "slow", {}, tmp_path, limit)

    return run


def test_what_takes_too_long_is_ended_with_all_that_it_started(work, tmp_path):
    later = f"import time; time.sleep(4); open({str(tmp_path / 'left')!r}, 'w')"
    with pytest.raises(measure.TooLong, match="slow was not done after 2 s"):
        work(f"subprocess.Popen([sys.executable, '-c', {later!r}])\ntime.sleep(60)", limit=2)
    assert work("time.sleep(3)\nopen(sys.argv[3], 'w').write('{}')", limit=60) == {}
    assert not (tmp_path / "left").exists()


def test_what_fails_says_why(work):
    with pytest.raises(RuntimeError, match="no such luck"):
        work("sys.exit('no such luck')", limit=60)
