"""`flywheel why FILE:N`, run as an auditor runs it."""

import json
import os

import pytest

from flywheel.__main__ import run
from tests.homes import Ran, call, drop, small_home


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home = small_home(tmp_path_factory.mktemp("why") / "home")
    drop(home, "logs/odd.jsonl", call(30, id="odd"))
    assert Ran(home).success
    return home


def asked(home, capsys, wanted):
    assert run(["why", str(wanted), "--json", "--home", str(home.path)]) == 0
    return json.loads(capsys.readouterr().out)


def refused(home, capsys, wanted):
    assert run(["why", wanted, "--home", str(home.path)]) == 1
    return capsys.readouterr().err


def test_row_117_an_auditor_with_a_line_of_an_export_finds_its_log_line(built, capsys, monkeypatch):
    folder = (built.exports / "answers" / "current").resolve()
    third = json.loads((folder / "manifest.json").read_bytes())["lines"]["train.jsonl"][2]
    told = json.loads((folder / "train.jsonl").read_text().splitlines()[2])
    version = f"answers/{folder.name}/train.jsonl:3"
    story = asked(built, capsys, folder / "train.jsonl:3")
    assert story == asked(built, capsys, third)
    (at,) = [s for s in story["sets"] if s["set"] == "answers" and s["current"]]
    assert (at["file"], at["line"], at["version"]) == ("train.jsonl", 3, folder.name)
    (log, *_) = [s for s in story["sources"] if s["kind"] == "log"]
    with open(log["file"], "rb") as f:
        f.seek(log["byte_offset"])
        logged = json.loads(f.read(log["length"]))
    assert log["intact"]
    assert json.dumps(told).find(logged["response"]["choices"][0]["message"]["content"]) > 0
    for place in (f"exports/{version}", version, "exports/answers/current/train.jsonl:3", "answers/train.jsonl:3"):
        assert asked(built, capsys, place) == story
    monkeypatch.chdir(folder)
    assert asked(built, capsys, "./train.jsonl:3") == story
    assert asked(built, capsys, os.path.relpath(folder / "train.jsonl:3")) == story


def test_row_117_a_line_of_a_raw_file_is_the_row_it_gave(built, capsys):
    said = refused(built, capsys, "first.jsonl:5")
    assert '2 raw files are called "first.jsonl"; name one: feedback/first.jsonl, logs/first.jsonl.' in said
    assert asked(built, capsys, "logs/first.jsonl:5")["id"] == "openai_chat:req_4"
    assert {s["kind"] for s in asked(built, capsys, "feedback/first.jsonl:5")["sources"]} == {"log", "feedback"}
    story = asked(built, capsys, "odd.jsonl:1")
    assert story["id"] == "openai_chat:odd"
    raw = story["sources"][0]
    for place in (
        raw["file"],
        raw["file_digest"][:12],
        os.path.relpath(raw["file"]),
        os.path.relpath(raw["file"], built.path),
    ):
        assert asked(built, capsys, f"{place}:1") == story


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("answers/train.jsonl:9999", "lines, from 1; there is no line 9999."),
        ("answers/train.jsonl:0", "lines, from 1; there is no line 0."),
        (
            "answers/trian.jsonl:1",
            'is called "answers/trian.jsonl". Did you mean "answers/train.jsonl"? Exported are: ',
        ),
        ("logs/first.jsonl:9999", "was read as no row; there is no such line."),
        ("openai_chat:999", 'no conversation, example or feedback event has the id "openai_chat:999".'),
    ],
)
def test_a_place_that_is_not_there_is_told_in_a_sentence(built, capsys, wanted, said):
    assert said in " ".join(refused(built, capsys, wanted).split())
