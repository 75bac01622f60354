"""Whoever is forgotten stays forgotten: their lines are blank before a file is kept."""

import gzip
import json

import pytest

from flywheel.erasure.suppression import LIST, add, listed
from flywheel.errors import SnapshotDamaged
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.stages.ingest import read_files
from tests.homes import call, thumb


@pytest.fixture
def home(tmp_path):
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    add(home.raw.root, {"user": {pseudonym("subject-7", home.secret)}, "call": {"req_5"}}, home.secret)
    return home


def lines(*told):
    return "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in told).encode()


def test_the_list_names_nobody(home):
    told = (home.raw.root / LIST).read_text()
    assert "subject-7" not in told
    assert pseudonym("subject-7", home.secret) not in told
    assert "req_5" not in told
    assert len(listed(home.raw.root)) == 2


@pytest.mark.parametrize("pack", [lambda data: data, lambda data: gzip.compress(data, mtime=0)])
def test_their_lines_are_blank_before_a_file_is_kept(home, tmp_path, pack):
    source = tmp_path / ("a.jsonl" if pack(b"x") == b"x" else "a.jsonl.gz")
    broken = '{"user_id": "subject-7", "req'
    told = [call(1), call(2, user_id="subject-7"), broken, thumb(5, True) | {"user_id": "e"}, "nonsense", call(5)]
    source.write_bytes(pack(lines(*told)))
    file, new = home.raw.keep(source)
    assert (new, file.forgotten) == (True, {2, 3, 4, 6})
    assert b"subject-7" not in b"".join(p.read_bytes() for p in file.path.parent.iterdir())
    read = home.store.publish(read_files(home.raw, home.secret))
    counts = read.scan("files").select("lines", "accepted", "quarantined").collect().row(0)
    assert counts == (6, 1, 1)
    assert home.raw.keep(source) == (file, False)


def test_nobody_comes_back_by_a_damaged_list(home, tmp_path):
    (home.raw.root / LIST).write_text("{")
    source = tmp_path / "a.jsonl"
    source.write_bytes(lines(call(2, user_id="subject-7")))
    with pytest.raises(SnapshotDamaged, match=r"forgotten\.json"):
        home.raw.keep(source)
    assert home.raw.files() == []


def test_another_homes_key_gives_other_digests(home, tmp_path):
    other = Home.create(tmp_path / "other", 'name = "x"\n')
    add(other.raw.root, {"call": {"req_5"}}, other.secret)
    assert not listed(other.raw.root) & listed(home.raw.root)
