"""Whole files of the inbox are taken once; a half-written one waits."""

import gzip
import os
import time
from pathlib import Path

import pytest

from flywheel.home import Home
from flywheel.logs.inbox import GIVEN_UP_AFTER, refused, take, taken, waiting

LINE = b'{"id": "r1"}\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "home")


def drop(home: Home, name: str, data: bytes, age: float = 60.0) -> Path:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def names(home: Home) -> tuple[list[str], list[str]]:
    whole, settling = waiting(home)
    return [d.name for d in whole], [d.name for d in settling]


@pytest.mark.parametrize(
    ("name", "data", "age", "ready"),
    [
        ("logs/a.jsonl", LINE, 60, True),
        ("logs/a.jsonl", LINE, 1, False),  # still being written, for all we know
        ("logs/a.jsonl", LINE[:-3], 60, False),  # breaks off in the middle of a line
        ("logs/a.jsonl", LINE[:-3], GIVEN_UP_AFTER + 60, True),  # its writer is not coming back
        ("logs/a.jsonl", b"", 60, False),
        ("logs/deep/er/a.jsonl.gz", gzip.compress(LINE * 50), 60, True),
        ("logs/a.jsonl.gz", gzip.compress(LINE * 50)[:-9], 60, False),
    ],
)
def test_only_whole_files_are_taken(home: Home, name: str, data: bytes, age: float, ready: bool) -> None:
    drop(home, name, data, age)
    assert names(home) == (([name], []) if ready else ([], [name]))


@pytest.mark.parametrize(
    "name", ["logs/.hidden.jsonl", "logs/a.jsonl.tmp", "logs/a.jsonl.part", "logs/.git/a.jsonl", "logs/readme.md"]
)
def test_other_files_are_passed_over(home: Home, name: str) -> None:
    drop(home, name, LINE)
    assert names(home) == ([], [])


def test_a_link_is_not_followed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(LINE)
    (home.inbox / "logs" / "a.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert names(home) == ([], [])


def test_a_file_is_taken_once_and_left_where_it_is(home: Home) -> None:
    path = drop(home, "logs/a.jsonl", LINE)
    assert [f.name for f in take(home)] == ["logs/a.jsonl"]
    assert path.read_bytes() == LINE
    assert names(home) == ([], [])
    assert take(home) == []


def test_the_same_content_again_is_not_a_new_file(home: Home) -> None:
    drop(home, "logs/a.jsonl", LINE)
    take(home)
    drop(home, "logs/b.jsonl", LINE)
    assert take(home) == []
    assert len(set(taken(home).values())) == 1


def test_files_of_one_name_in_two_folders_keep_their_folder(home: Home) -> None:
    drop(home, "logs/2026/a.jsonl", LINE)
    drop(home, "feedback/a.jsonl", LINE * 2)
    assert [f.name for f in take(home)] == ["feedback/a.jsonl", "logs/2026/a.jsonl"]


def test_a_file_taken_by_an_older_flywheel_keeps_the_name_it_had(home: Home) -> None:
    path = drop(home, "logs/a.jsonl", LINE)
    old, _ = home.raw.keep(path)
    assert old.name == "a.jsonl"
    assert take(home) == []
    assert home.raw.files() == [old]


def test_a_file_that_grew_is_taken_again(home: Home) -> None:
    drop(home, "logs/a.jsonl", LINE)
    take(home)
    drop(home, "logs/a.jsonl", LINE * 2, age=50)
    assert len(take(home)) == 1


def test_an_unreadable_file_is_remembered_and_the_others_go_on(home: Home) -> None:
    drop(home, "logs/a.parquet", b"PAR1 this is no parquet PAR1")
    drop(home, "logs/b.jsonl", LINE)
    assert [f.name for f in take(home)] == ["logs/b.jsonl"]
    assert next(v for k, v in taken(home).items() if k.startswith("logs/a.parquet")).startswith("unreadable: ")
    assert names(home) == ([], [])
    (told,) = refused(home)
    assert "a.parquet cannot be read as .parquet" in told
    drop(home, "logs/a.parquet", b"mended: no longer what was refused", age=50)
    assert refused(home) == []


def test_a_damaged_list_of_what_was_taken_is_harmless(home: Home) -> None:
    drop(home, "logs/a.jsonl", LINE)
    take(home)
    (home.path / "raw" / "inbox.json").write_bytes(b"{")
    assert take(home) == []  # taken again, and nothing new
    assert len(taken(home)) == 1
