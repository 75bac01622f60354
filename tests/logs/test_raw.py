"""Raw files are kept by content, verified, and split into lines on newline only, however they are compressed."""

import gzip
import hashlib
import os

import orjson
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import RawChanged, RawUnreadable
from flywheel.logs import pieces
from flywheel.logs import raw as raw_module
from flywheel.logs.raw import BrokenOff, RawStore, lines, refuse_no_log, safe_name, safe_path

PACK = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.ZstdCompressor().compress}


def store(tmp_path):
    return RawStore(tmp_path / "raw")


def wrote(path, data):
    path.write_bytes(data)
    return path


def test_a_file_is_kept_once_by_content(tmp_path):
    first, new = store(tmp_path).keep(wrote(tmp_path / "a.jsonl", b"{}\n"))
    again, newer = store(tmp_path).keep(wrote(tmp_path / "b.jsonl", b"{}\n"))
    other, _ = store(tmp_path).keep(wrote(tmp_path / "b.jsonl", b"[]\n"))
    assert (new, newer, again) == (True, False, first)
    assert (first.name, first.size, first.digest) == ("a.jsonl", 3, hashlib.sha256(b"{}\n").hexdigest())
    assert store(tmp_path).files() == [first, other]
    assert store(tmp_path).find(other.digest) == other
    assert store(tmp_path).find("0" * 64) is None
    assert first.path.read_bytes() == b"{}\n"


def test_a_half_made_copy_is_not_a_file(tmp_path):
    kept = store(tmp_path)
    file, _ = kept.keep(wrote(tmp_path / "a.jsonl", b"{}\n"))
    file.path.parent.rename(kept.root / ".staged-1")
    assert kept.files() == []
    kept.sweep()
    assert list(kept.root.iterdir()) == []


def test_a_changed_byte_is_reported_by_name(tmp_path):
    kept = store(tmp_path)
    file, _ = kept.keep(wrote(tmp_path / "a.jsonl", b'{"a":1}\n'))
    kept.check(file)
    assert kept.verify() == []
    file.path.chmod(0o644)
    file.path.write_bytes(b'{"a":2}\n')
    assert len(kept.verify()) == 1
    with pytest.raises(RawChanged, match=r"raw file a\.jsonl .* no longer has the bytes"):
        kept.check(file)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jsonl.gz", b"plain text, not gzip\n", "cannot be read as .jsonl.gz"),
        ("a.zst", b"plain text, not zstd\n", "cannot be read as .zst"),
        ("a.parquet", b"plain text, not parquet\n", "cannot be read as .parquet"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path, name, data, says):
    with pytest.raises(RawUnreadable, match=says):
        store(tmp_path).keep(wrote(tmp_path / name, data))
    assert store(tmp_path).files() == []


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")  # reading it would wait for a writer
    with pytest.raises(RawUnreadable, match=r"pipe\.jsonl is no regular file"):
        store(tmp_path).keep(tmp_path / "pipe.jsonl")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.csv", b"id,text\n1,hello\n", "none of its lines is JSON, the first is 'id,text'"),
        ("p.png", b"\x89PNG\r\n\x1a\n\0", "it is no text"),
        ("a.json", b'[{"id": 1}]', "it is one JSON array; to make lines of it: jq"),
        ("a.json", b'\xef\xbb\xbf{\n  "id": 1\n}\n', "it is one JSON document over several lines"),
        ("a.jsonl.gz", gzip.compress(b"1\n2\n"), "none of its lines is JSON, the first is '1'"),
        ("a.jsonl", b'garbage\n\xff\n{"id": 1}\n', None),  # one good line is enough
        ("a.jsonl", b'\xef\xbb\xbf{"id": 1}', None),
        ("a.jsonl", b"", None),
        ("a.jsonl", b"\n\n", None),
        ("a.jsonl.gz", b"not gzip", None),  # `keep` tells
    ],
)
def test_a_file_without_a_json_object_is_no_log(tmp_path, name, data, says):
    file = wrote(tmp_path / name, data)
    if says is None:
        return refuse_no_log(file)
    with pytest.raises(RawUnreadable, match="is no log: ") as e:
        refuse_no_log(file)
    assert says in str(e.value)


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    files = [
        store(tmp_path).keep(wrote(tmp_path / "a.jsonl", f'{{"n": {n}}}\n'.encode()), f"{n}/a.jsonl")[0] for n in "ab"
    ]
    assert [f.name for f in store(tmp_path).files()] == ["a/a.jsonl", "b/a.jsonl"]
    assert {f.last_name for f in files} == {f.path.name for f in files} == {"a.jsonl"}
    again, new = store(tmp_path).keep(tmp_path / "a.jsonl", "elsewhere/a.jsonl")
    assert (again.name, new) == ("b/a.jsonl", False)


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("logs/2026/a.jsonl", "logs/2026/a.jsonl"),
        ("../../etc/x y.jsonl", "etc/x_y.jsonl"),
        ("/etc//passwd.jsonl", "etc/passwd.jsonl"),
        ("./.git/.hidden", "git/hidden"),
        ("a\n[x](y)\x1b/b\\..\\c.jsonl", "a__x__y__/b_.._c.jsonl"),
        ("logs/arrival.json", "logs/_arrival.json"),
        ("..", "file"),
        ("", "file"),
        ("é/" * 200 + "a.gz", "_/" * 118 + "a.gz"),
        ("d" * 300 + "/" + "f" * 300, "f" * 120),
    ],
)
def test_a_path_is_made_safe(path, safe):
    assert safe_path(path) == safe


@given(st.text())
def test_no_path_leaves_its_folder(path):
    parts = safe_path(path).split("/")
    assert all(part == safe_name(part) and part not in (".", "..") for part in parts)
    assert len(safe_path(path)) <= 240


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(RawUnreadable, match="is a folder"):
        store(tmp_path).keep(tmp_path)
    with pytest.raises(RawUnreadable, match="No such file"):
        store(tmp_path).keep(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("2026-03-02.jsonl.gz", "2026-03-02.jsonl.gz"),
        ("../../etc/x y.jsonl", "_.._etc_x_y.jsonl"),
        (".hidden", "hidden"),
        ("...", "file"),
        ("arrival.json", "_arrival.json"),
        ("pieces.json", "_pieces.json"),
        ("é" * 200 + ".gz", "_" * 117 + ".gz"),
    ],
)
def test_safe_name(name, safe):
    assert safe_name(name) == safe


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    st.booleans(),
    st.sampled_from(sorted(PACK)),
    st.integers(1, 9),
)
def test_lines_are_where_they_say(tmp_path_factory, pieces, ends, suffix, block):
    data = b"\n".join(pieces) + (b"\n" if ends and pieces else b"")
    path = wrote(tmp_path_factory.mktemp("l") / f"f{suffix}", PACK[suffix](data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_module, "BLOCK", block * 16)
        found = list(lines(path))
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    for line in found:
        assert data[line.offset : line.offset + len(line.data)] == line.data
    expected = data.split(b"\n")
    assert [line.data for line in found] == (expected if expected[-1] else expected[:-1])


def piecewise(kept, file):
    return [line for piece in kept.pieces(file) for line in kept.lines(file, piece)]


@pytest.mark.parametrize("data", [b"one\n\ntwo\r\nthree\n", b"one\ntwo", b"\n\n\n", b"x" * 99, b""])
@pytest.mark.parametrize("size", [1, 2, 4, 5, 1000])
def test_the_lines_of_all_pieces_are_the_lines_of_the_file(tmp_path, monkeypatch, data, size):
    monkeypatch.setattr(pieces, "PIECE", size)
    kept = store(tmp_path)
    file, _ = kept.keep(wrote(tmp_path / "a.jsonl", data))
    assert piecewise(kept, file) == list(lines(file.path))
    (file.path.parent / "pieces.json").unlink(missing_ok=True)  # as an older flywheel left it
    assert piecewise(kept, file) == list(lines(file.path))


@pytest.mark.parametrize("suffix", sorted(PACK))
@pytest.mark.parametrize(
    "changed", [b"one\ntwo\nthrew\n", b"one\ntwo\nthree\nfour\n", b"one\ntwo\n", b"oneoneone\ntwo\nthree\n"]
)
def test_a_changed_byte_is_noticed_where_it_is_read(tmp_path, monkeypatch, suffix, changed):
    monkeypatch.setattr(pieces, "PIECE", 2)
    kept = store(tmp_path)
    file, _ = kept.keep(wrote(tmp_path / f"a{suffix}", PACK[suffix](b"one\ntwo\nthree\n")))
    cut = kept.pieces(file)
    assert len(cut) == (3 if suffix == ".jsonl" else 1)
    file.path.chmod(0o644)
    file.path.write_bytes(PACK[suffix](changed))
    noticed = 0
    for one in cut:
        try:
            list(kept.lines(file, one))
        except RawChanged:
            noticed += 1
    assert noticed


def test_a_file_that_is_gone_or_changed_before_it_was_cut_is_named(tmp_path, monkeypatch):
    kept = store(tmp_path)
    file, _ = kept.keep(wrote(tmp_path / "a.jsonl", b"one\ntwo\n"))
    (piece,) = kept.pieces(file)
    file.path.chmod(0o644)
    file.path.write_bytes(b"one\ntwi\n")
    monkeypatch.setattr(pieces, "PIECE", 2)
    with pytest.raises(RawChanged, match=r"a\.jsonl"):
        kept.pieces(file)
    file.path.unlink()
    with pytest.raises(RawChanged, match=r"a\.jsonl"):
        list(kept.lines(file, piece))


def test_only_newline_ends_a_line(tmp_path):
    text = "a\u2028b\u0085c\rd\r\ne".encode()
    assert [line.data for line in lines(wrote(tmp_path / "f.jsonl", text))] == [text[:-2], b"e"]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_members_and_frames_follow_each_other(tmp_path, suffix):
    path = wrote(tmp_path / f"f{suffix}", PACK[suffix](b"one\ntw") + PACK[suffix](b"o\nthree"))
    assert [line.data for line in lines(path)] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_file_that_breaks_off_gives_the_lines_before(tmp_path, suffix):
    packed = PACK[suffix](b"one\ntwo\n") + PACK[suffix](b"three\nfo")
    taken = []
    with pytest.raises(BrokenOff, match="ends before its compressed data does") as caught:
        taken.extend(line.data for line in lines(wrote(tmp_path / f"f{suffix}", packed[:-1])))
    assert taken[:2] == [b"one", b"two"]
    assert (caught.value.rest.number, caught.value.rest.offset) == (len(taken) + 1, sum(len(t) + 1 for t in taken))
    assert store(tmp_path).keep(tmp_path / f"f{suffix}")[1]


def test_a_row_of_a_table_is_a_line(tmp_path):
    pl.DataFrame({"id": ["a", "b"], "n": [1, None], "m": [{"x": "y"}, None]}).write_parquet(tmp_path / "f.parquet")
    found = list(lines(tmp_path / "f.parquet"))
    assert [(line.number, line.offset) for line in found] == [(1, 0), (2, 1)]
    assert [orjson.loads(line.data) for line in found] == [
        {"id": "a", "n": 1, "m": {"x": "y"}},
        {"id": "b", "n": None, "m": None},
    ]
