"""Whoever is forgotten stays forgotten: their lines are blank before a file is kept."""

import gzip
import json

import pytest

from flywheel.erasure.suppression import LIST, OLDER, Suppressed, add, listed, named_after, read, sealed, write
from flywheel.errors import SnapshotDamaged
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.stages.ingest import read_files
from tests.homes import call, thumb


@pytest.fixture
def home(tmp_path):
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    names = {"user": {pseudonym("subject-7", home.secret)}, "call": {"req_5"}}
    add(home.raw.root, "one", "user", "2026-03-02T12:00:00+00:00", names, home.secret)
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
    add(other.raw.root, "one", "conversation", "2026-03-02T12:00:00+00:00", {"call": {"req_5"}}, other.secret)
    assert not listed(other.raw.root) & listed(home.raw.root)


def test_a_list_made_before_entries_is_read_as_one_and_goes_on_working(home, tmp_path):
    whole = listed(home.raw.root)
    (home.raw.root / LIST).write_text(json.dumps({"digests": sorted(whole)}))
    assert listed(home.raw.root) == whole
    assert {id: (e.kind, e.digests) for id, e in read(home.raw.root).entries.items()} == {OLDER: ("", whole)}
    source = tmp_path / "a.jsonl"
    source.write_bytes(lines(call(1), call(2, user_id="subject-7")))
    assert home.raw.keep(source)[0].forgotten == {2}
    add(home.raw.root, "two", "conversation", "2026-03-03T12:00:00+00:00", {"call": {"req_9"}}, home.secret)
    assert set(read(home.raw.root).entries) == {OLDER, "two"}
    assert listed(home.raw.root) == whole | {sealed("call", "req_9", home.secret)}


@pytest.mark.parametrize(
    "damaged", ["{}", "[]", '{"entries": []}', '{"entries": {"a": {"kind": "user"}}}', '{"digests": 1}']
)
def test_a_list_that_does_not_say_who_is_damaged(home, damaged):
    (home.raw.root / LIST).write_text(damaged)
    with pytest.raises(SnapshotDamaged, match=r"forgotten\.json"):
        listed(home.raw.root)


def test_a_digest_of_two_entries_stays_until_both_are_lifted(home):
    add(home.raw.root, "two", "conversation", "2026-03-03T12:00:00+00:00", {"call": {"req_5", "req_6"}}, home.secret)
    known = read(home.raw.root)
    five, six = (sealed("call", name, home.secret) for name in ("req_5", "req_6"))
    write(home.raw.root, Suppressed({"one": known.entries["one"]}, (known.entries["two"],)))
    now = read(home.raw.root)
    assert (five in now.digests, five in now.free) == (True, False)
    assert (six in now.digests, six in now.free) == (False, True)
    write(home.raw.root, Suppressed({}, (known.entries["two"], known.entries["one"])))
    assert read(home.raw.root).free == known.digests
    assert listed(home.raw.root) == frozenset()


def test_a_file_is_named_after_a_user_by_whole_words(home):
    digests = listed(home.raw.root)
    for name in ("subject-7.jsonl", "of subject-7, march.jsonl", f"{pseudonym('subject-7', home.secret)}.gz"):
        assert named_after(name, digests, home.secret), name
    for name in ("subject-71.jsonl", "asubject-7.jsonl", "subject.jsonl", "req_5.jsonl"):
        assert not named_after(name, digests, home.secret), name
