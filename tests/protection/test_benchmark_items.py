import gzip
from pathlib import Path

import pytest

from flywheel.errors import RecipeInvalid
from flywheel.protection.benchmark_items import Item, digest, items, short_name


def written(folder: Path, data: bytes, name: str = "bench.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"question": "Why?", "answer": "So."}', [("bench#0", "Why?")]),
        ('{"task_id": "H/0", "prompt": "def f():"}', [("bench#H/0", "def f():")]),
        ('{"question_id": 81, "turns": ["one", "two"]}', [("bench#81", "one"), ("bench#81", "two")]),
        ('{"id": "a", "prompt": [{"role": "user", "content": "왜?"}]}', [("bench#a", "왜?")]),
        ('{"question": "", "text": "used"}', [("bench#0", "used")]),
    ],
)
def test_what_an_item_asks(tmp_path, line, expected):
    assert items(written(tmp_path, line.encode() + b"\n\n")) == tuple(Item(*e) for e in expected)


def test_a_field_may_be_named_and_files_may_be_gzip(tmp_path):
    path = written(tmp_path, gzip.compress(b'{"question": "a", "answer": "b"}'), "b.jsonl.gz")
    assert items(path, "answer") == (Item("b#0", "b"),)
    assert short_name(path) == "b"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"question,answer\n1,2\n", "line 1: no JSON"),
        (b'{"question": "x"}\n[1]\n', "line 2: found a list; expected one JSON object a line"),
        (b'{"q": 1, "a": 2}\n', "has the fields q, a; expected a text in one of question"),
        (b'{"question": 5}\n', "expected a text"),
        (b"\n", "holds no item"),
        (b"\x1f\x8bbroken", "no whole gzip file"),
        (b'[\n{"question": "x"}\n]', "line 1: no JSON"),
        (b'\xff\xfe{"a"', "no JSON"),
    ],
)
def test_a_wrong_format_is_a_sentence(tmp_path, data, says):
    with pytest.raises(RecipeInvalid, match=says):
        items(written(tmp_path, data))


def test_a_file_that_is_not_there(tmp_path):
    for read in (items, digest):
        with pytest.raises(RecipeInvalid, match="cannot be read: No such file"):
            read(tmp_path / "none.jsonl")
