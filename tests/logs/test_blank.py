"""Lines that are forgotten are blank; every other line keeps its number, its offset and its bytes, in every kind of file."""

import gzip
import json

import polars as pl
import pytest
import zstandard

from flywheel.logs.blank import forget, write_blanked
from flywheel.logs.raw import BrokenOff, RawStore, lines, received

LINES = [
    b'{"n": 0}',
    b'{"n": 1, "secret": "quiet marmalade"}',
    b'{"n": 2}',
    b"",
    b'{"n": 4, "secret": "quiet marmalade"}',
]
WHOLE = b"\n".join(LINES)
PACK = {
    "a.jsonl": lambda data: data,
    "a.jsonl.gz": lambda data: gzip.compress(data, mtime=0),
    "a.jsonl.zst": lambda data: zstandard.compress(data),
}


def read(path):
    """The lines, and the rest where the file breaks off."""
    found, rest = [], None
    try:
        for line in lines(path):
            found.append(line)
    except BrokenOff as e:
        rest = e.rest
    return found, rest


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_other_lines_stay_where_they_are(tmp_path, name, end):
    source, target = tmp_path / name, tmp_path / f"1-{name}"
    source.write_bytes(PACK[name](WHOLE + end))
    before, _ = read(source)
    write_blanked(source, target, {2, 5})
    after, rest = read(target)
    assert rest is None
    assert [(a.number, a.offset, len(a.data)) for a in after] == [(b.number, b.offset, len(b.data)) for b in before]
    assert [a.data for a in after if a.number not in (2, 5)] == [b.data for b in before if b.number not in (2, 5)]
    assert not b"".join(a.data for a in after if a.number in (2, 5)).strip()
    write_blanked(source, tmp_path / f"again-{name}", {2, 5})
    assert (tmp_path / f"again-{name}").read_bytes() == target.read_bytes()


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("number", [2, 5])
def test_a_file_that_breaks_off_breaks_off_at_the_same_place(tmp_path, name, number):
    source, target = tmp_path / name, tmp_path / f"1-{name}"
    body = b"\n".join([*LINES[:4], LINES[4] * 9000])
    if name.endswith(".gz"):
        source.write_bytes(gzip.compress(body, mtime=0)[:-8])
    else:
        packing = zstandard.ZstdCompressor().compressobj()
        source.write_bytes(packing.compress(body) + packing.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    (before, rest), _ = read(source), None
    assert rest is not None
    write_blanked(source, target, {number})
    after, left = read(target)
    assert left is not None
    assert (left.number, left.offset, len(left.data)) == (rest.number, rest.offset, len(rest.data))
    assert (left.data == rest.data) is (number != 5)
    assert [a.data for a in after if a.number != number] == [b.data for b in before if b.number != number]


def test_a_row_of_a_parquet_file_loses_its_values(tmp_path):
    source, target = tmp_path / "a.parquet", tmp_path / "1-a.parquet"
    frame = pl.DataFrame({"id": ["a", "b", "c"], "turns": [[{"t": "quiet"}], [{"t": "marmalade"}], []]})
    frame.write_parquet(source)
    write_blanked(source, target, {2})
    after = pl.read_parquet(target)
    assert after.schema == frame.schema
    assert after.row(1) == (None, None)
    assert after[[0, 2]].equals(frame[[0, 2]])
    assert b"marmalade" not in target.read_bytes()


def test_a_kept_file_says_what_was_forgotten_and_is_still_found_by_what_was_received(tmp_path):
    source = tmp_path / "a.jsonl"
    source.write_bytes(WHOLE)
    store = RawStore(tmp_path / "raw")
    file, _ = store.keep(source)
    once = forget(file, {2})
    twice = forget(once, {5})
    assert twice.forgotten == {2, 5}
    assert twice.digest == file.digest != twice.now
    assert store.verify() == []
    assert store.keep(source) == (twice, False)  # the same file again
    assert sorted(p.name for p in twice.path.parent.iterdir()) == ["2-a.jsonl", "arrival.json"]
    assert not twice.path.stat().st_mode & 0o222
    assert [line.number for line in store.lines(twice, store.pieces(twice)[0])] == [1, 2, 3, 4, 5]


def test_a_crash_between_the_new_bytes_and_the_old_leaves_one_or_the_other(tmp_path):
    source = tmp_path / "a.jsonl"
    source.write_bytes(WHOLE)
    store = RawStore(tmp_path / "raw")
    file, _ = store.keep(source)
    notes = file.path.parent / "arrival.json"
    before, old = notes.read_bytes(), file.path.read_bytes()
    now = forget(file, {2})
    file.path.write_bytes(old)  # killed before the old bytes went
    assert received(notes) == now
    assert forget(now, {2}) == now
    assert not file.path.exists()
    notes.write_bytes(before)  # killed before the notes were replaced
    file.path.write_bytes(old)
    assert store.verify() == []
    assert forget(received(notes), {2}) == now
    assert json.loads(notes.read_bytes())["forgotten"] == [2]


def test_a_file_that_came_under_the_very_name_it_would_get_is_not_lost(tmp_path):
    source = tmp_path / "1-forgotten.jsonl"
    source.write_bytes(WHOLE)
    store = RawStore(tmp_path / "raw")
    file, _ = store.keep(source, "of/somebody/1-forgotten.jsonl")
    now = forget(file, {2}, "forgotten.jsonl")
    assert [line.data for line in lines(now.path)] == [LINES[0], b" " * len(LINES[1]), *LINES[2:]]
    assert (now.name, now.path.name, store.verify()) == ("forgotten.jsonl", "2-forgotten.jsonl", [])
