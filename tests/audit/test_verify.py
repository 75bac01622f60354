"""What was promised not to change: each damaged file is named, and nothing else."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from flywheel.audit.verify import Part, verify
from flywheel.home import Home
from tests.homes import Ran, small_home


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home = small_home(tmp_path_factory.mktemp("verify") / "home")
    assert Ran(home).success
    return home


@pytest.fixture
def home(built, tmp_path):
    shutil.copytree(built.path, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


def damaged(home: Home) -> dict[str, tuple[str, ...]]:
    return {part.name: part.damaged for part in verify(home) if part.damaged}


def flip(path: Path) -> None:
    """Change one byte, and nothing else of a file."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    path.chmod(mode)


@pytest.mark.slow
def test_a_sound_home(built):
    found = verify(built)
    assert not any(part.damaged for part in found)
    assert [part.name for part in found] == ["raw files", "snapshots", "exports", "caches", "dagster"]
    assert all(part.files for part in found[:3])


@pytest.mark.slow
def test_row_125_a_raw_file_cannot_be_written_and_a_changed_byte_names_the_file(home):
    raw = home.raw.files()[0]
    assert not raw.path.stat().st_mode & 0o222
    child = os.fork()
    if not child:  # nobody: root may write anything
        if os.geteuid() == 0:
            os.chmod(home.path.parent, 0o755)
            os.setuid(65534)
        try:
            raw.path.open("ab").close()
        except PermissionError:
            os._exit(3)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    flip(raw.path)
    found = damaged(home)
    assert set(found) == {"raw files"}
    assert str(raw.path) in found["raw files"][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("snapshots/parts/*/*/rows.parquet", "snapshots"),
        ("exports/answers/*/rows.parquet", "exports"),
        ("exports/answers/*/README.md", "exports"),
        ("exports/verdicts/*/train.jsonl", "exports"),
    ],
)
def test_each_damaged_file_is_named_and_no_other(home, pattern, part):
    file = sorted(f for f in home.path.glob(pattern) if f.parent.name != "current")[0]
    flip(file)
    found = damaged(home)
    assert set(found) == {part}
    assert len(found[part]) == 1
    assert str(file) in found[part][0]


@pytest.mark.slow
def test_a_lost_file_and_a_spoiled_cache(home):
    sorted(f for f in home.exports.glob("answers/*/manifest.json") if f.parent.name != "current")[0].unlink()
    (home.path / "cache").mkdir()
    with sqlite3.connect(home.path / "cache" / "embeddings.db") as db:
        db.execute(
            "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i FROM n"
        )
    file = home.path / "cache" / "embeddings.db"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = damaged(home)
    assert "manifest.json is missing" in found["exports"][0]
    assert "embeddings.db is damaged" in found["caches"][0]


@pytest.mark.slow
def test_the_doctor_has_the_same_findings(home):
    from flywheel.audit.doctor import examine

    flip(home.raw.files()[0].path)
    told = {d.name: d for d in examine(home)}
    part: Part = next(p for p in verify(home) if p.name == "raw files")
    assert not told["raw files"].ok
    assert part.damaged[0] in told["raw files"].sentence
