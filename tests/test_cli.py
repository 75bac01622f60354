"""The commands, run as a user runs them: what they print, what their JSON holds, how they end."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import polars as pl
import pytest

from flywheel.__main__ import cli, run
from flywheel.commands.ingest import name_of
from flywheel.home import Home
from tests.pools import snapshot

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMANDS = (
    "init",
    "ingest",
    "build",
    "check",
    "why",
    "trace",
    "diff",
    "doctor",
    "up",
    "demo",
    "quarantine",
    "clusters",
    "preview",
    "review",
    "order",
    "lint-prompt",
    "forget",
    "releases",
    "promote",
    "rollback",
    "results",
    "gc",
    "verify",
    "rights",
    "advise",
    "budget",
    "economics",
    "gaps",
)


def call(n, reply="Turn it off and on again."):
    """One line of a log."""
    return {
        "id": f"req_{n}",
        "timestamp": "2026-03-02T10:00:00Z",
        "session_id": f"s{n}",
        "request": {"model": "m", "messages": [{"role": "user", "content": f"How do I reset router {n}?"}]},
        "response": {
            "id": f"chatcmpl-{n}",
            "object": "chat.completion",
            "created": 1772445600,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}],
        },
    }


def log(*lines):
    return b"".join((x if isinstance(x, bytes) else orjson.dumps(x)) + b"\n" for x in lines)


@pytest.fixture
def home(tmp_path):
    return Home.create(tmp_path / "home")


@pytest.fixture
def logs(tmp_path):
    """A folder with two good files, one broken line, one line twice, and things that are no logs."""
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(log(call(1), call(2), b"\x1b[31mnot json [bold]"))
    (folder / "deep" / "b.jsonl.gz").write_bytes(gzip.compress(log(call(3), call(1)), mtime=0))
    (folder / ".hidden.jsonl").write_bytes(log(call(8)))
    (folder / "notes.txt").write_text("not a log")
    (folder / "manifest.json").write_text('{"records": 3}')
    (folder / "config.json").write_text('{\n  "pretty": true\n}\n')
    (tmp_path / "outside.jsonl").write_bytes(log(call(9)))
    (folder / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    return folder


def said(capsys, *arguments):
    """Exit code, and the JSON object on stdout."""
    code = run([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


# --- every command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_home_json_and_a_help_with_an_example(command, capsys):
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--home FOLDER" in text
    assert "--json" in text
    assert f"Example: flywheel {command}" in text
    assert max(map(len, text.splitlines())) <= 100


def test_there_are_no_other_commands():
    assert sorted(cli.commands) == sorted(COMMANDS)


def test_help_lists_the_exit_codes(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for line in (
        "0  done",
        "1  a build or a check failed",
        "2  wrong usage",
        "3  the home is busy",
        "4  a fault in flywheel",
        "130  interrupted",
    ):
        assert line in text


@pytest.mark.parametrize(
    "command",
    [
        ["ingest", "x"],
        ["build"],
        ["check"],
        ["why", "x"],
        ["diff", "s"],
        ["up"],
        ["quarantine"],
        ["clusters"],
        ["preview", "use = 1"],
        ["lint-prompt", "s", "p"],
    ],
)
def test_a_missing_home_is_one_sentence(command, tmp_path, capsys):
    assert run([*command, "--home", str(tmp_path / "none")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert (
        told.err
        == f"flywheel: no flywheel home at {tmp_path / 'none'}: there is no recipe.toml in it. Run: flywheel init {tmp_path / 'none'}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bild"], "No such command 'bild'"),
        (["why"], "Missing argument 'ID'"),
        (["ingest"], "Missing argument 'FILE_OR_FOLDER...'"),
        (["build", "--hom", "x"], "No such option"),
        (["up", "--port", "99999"], "99999 is not in the range"),
        (["init", "a", "--home", "b"], "two homes are named, a and b; name one."),
    ],
)
def test_wrong_usage_is_refused(arguments, said, capsys):
    assert run(arguments) == 2
    assert said in capsys.readouterr().err


def test_errors_are_json_too(tmp_path, capsys):
    code, answer = said(capsys, "build", "--home", tmp_path)
    assert (code, answer["exit_code"]) == (2, 2)
    assert "no flywheel home" in answer["error"]


def test_a_fault_of_ours_is_a_sentence_and_a_trace_on_demand(home, capsys, monkeypatch):
    def fall(*_):
        raise RuntimeError("boom\x1b[31m")

    monkeypatch.setattr("flywheel.storage.catalog.Catalog.open", fall)
    assert run(["why", "x", "--home", str(home.path)]) == 4
    err = capsys.readouterr().err
    assert "RuntimeError: boom\\x1b[31m. This is a fault of flywheel; run with FLYWHEEL_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("FLYWHEEL_DEBUG", "1")
    assert run(["why", "x", "--home", str(home.path)]) == 4
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 0), (OSError(28, "No space left on device"), 1)]
)
def test_interruptions(home, capfd, monkeypatch, error, code):
    def fall(*_):
        raise error

    monkeypatch.setattr("flywheel.storage.catalog.Catalog.open", fall)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert run(["why", "x", "--home", str(home.path)]) == code
    assert "Traceback" not in capfd.readouterr().err


def test_the_home_of_the_environment_is_used(home, capsys, monkeypatch):
    monkeypatch.setenv("FLYWHEEL_HOME", str(home.path))
    assert said(capsys, "init")[1]["home"] == str(home.path)


# --- init


def test_init_makes_a_home_and_keeps_one(tmp_path, capsys):
    code, answer = said(capsys, "init", tmp_path / "h")
    assert (code, answer["created"]) == (0, True)
    (tmp_path / "h" / "recipe.toml").write_text('name = "mine"')
    code, answer = said(capsys, "init", tmp_path / "h")
    assert (code, answer["created"]) == (0, False)
    assert (tmp_path / "h" / "recipe.toml").read_text() == 'name = "mine"'


# --- ingest


def test_ingest_counts_every_line(home, logs, capsys):
    code, answer = said(capsys, "ingest", logs, "--home", home.path)
    assert code == 0
    assert {k: answer[k] for k in ("read", "accepted", "quarantined", "repeated")} == {
        "read": 5,
        "accepted": 3,
        "quarantined": 1,
        "repeated": 1,
    }
    assert answer["by_reason"] == {"not_json": 1}
    assert [f["name"] for f in answer["files"]] == ["logs/a.jsonl", "logs/deep/b.jsonl.gz"]
    assert answer["read"] == answer["accepted"] + answer["quarantined"] + answer["repeated"]


@pytest.mark.parametrize(
    ("given", "file", "name"),
    [
        ("logs", "logs/deep/b.jsonl", "logs/deep/b.jsonl"),
        ("logs/a.jsonl", "logs/a.jsonl", "logs/a.jsonl"),
        ("a.jsonl", "a.jsonl", "a.jsonl"),
        (".", "logs/a.jsonl", "logs/a.jsonl"),
        ("../logs", "../logs/a.jsonl", "../logs/a.jsonl"),
        ("/data/logs", "/data/logs/a.jsonl", "logs/a.jsonl"),
        ("/data/logs/a.jsonl", "/data/logs/a.jsonl", "a.jsonl"),
    ],
)
def test_a_file_is_called_as_it_was_given(given, file, name):
    assert name_of(Path(file), Path(given)) == name


def test_two_folders_may_hold_files_of_one_name(home, tmp_path, capsys):
    for folder, line in (("logs", call(1)), ("more", call(2))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jsonl").write_bytes(log(line))
    code, answer = said(capsys, "ingest", tmp_path / "logs", tmp_path / "more", "--home", home.path)
    assert (code, [f["name"] for f in answer["files"]]) == (0, ["logs/a.jsonl", "more/a.jsonl"])
    for file, id in (("logs/a.jsonl", 1), ("more/a.jsonl", 2)):
        code, story = said(capsys, "why", f"{file}:1", "--home", home.path)
        assert (code, story["id"]) == (0, f"openai_chat:{call(id)['id']}")
    code, answer = said(capsys, "why", "a.jsonl:1", "--home", home.path)
    assert code != 0
    assert "name one: logs/a.jsonl, more/a.jsonl" in answer["error"]


def test_the_same_file_again_adds_nothing(home, logs, capsys):
    said(capsys, "ingest", logs, "--home", home.path)
    before = home.store.head("conversations").version
    code, answer = said(capsys, "ingest", logs / "a.jsonl", logs / "a.jsonl", "--home", home.path)
    assert (code, answer["accepted"]) == (0, 0)
    assert [f["new"] for f in answer["files"]] == [False, False]
    assert home.store.head("conversations").version == before


def test_the_same_content_twice_in_one_command_is_read_twice(home, logs, tmp_path, capsys):
    (tmp_path / "copy.jsonl").write_bytes((logs / "a.jsonl").read_bytes())
    code, answer = said(capsys, "ingest", logs / "a.jsonl", tmp_path / "copy.jsonl", "--home", home.path)
    assert code == 0
    assert (answer["read"], answer["accepted"], answer["quarantined"], answer["repeated"]) == (6, 2, 1, 3)
    assert [(f["accepted"], f["repeated"]) for f in answer["files"]] == [(2, 0), (0, 3)]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(home, logs, tmp_path, capsys):
    (tmp_path / "bad.jsonl.gz").write_bytes(b"not gzip at all")
    code, answer = said(
        capsys, "ingest", tmp_path / "bad.jsonl.gz", tmp_path / "none.jsonl", logs / "a.jsonl", "--home", home.path
    )
    assert code == 2
    assert answer["accepted"] == 2
    assert len(answer["errors"]) == 2
    assert "bad.jsonl.gz cannot be read as .jsonl.gz" in answer["errors"][0]
    assert "none.jsonl cannot be read: No such file or directory" in answer["errors"][1]


def test_a_folder_without_logs_is_told(home, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    code, answer = said(capsys, "ingest", tmp_path / "empty", "--home", home.path)
    assert (code, answer["read"]) == (2, 0)
    assert "holds no log file; expected names that end with .jsonl" in answer["errors"][0]


def test_a_home_at_work_is_busy(home, logs, capsys):
    with home.lock(who="flywheel build"):
        code, answer = said(capsys, "ingest", logs, "--home", home.path)
    assert (code, answer["exit_code"]) == (3, 3)
    assert "is at work in" in answer["error"]


# --- quarantine and why, after a real ingest


def test_quarantine_shows_lines_escaped(home, logs, capsys):
    run(["ingest", str(logs), "--home", str(home.path)])
    capsys.readouterr()
    assert run(["quarantine", "--home", str(home.path)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\\x1b[31mnot json [bold]" in text
    code, answer = said(capsys, "quarantine", "--home", home.path)
    assert (code, answer["total"], answer["by_reason"]) == (0, 1, {"not_json": 1})
    (line,) = answer["lines"]
    with open(line["file"], "rb") as f:
        f.seek(line["byte_offset"])
        assert f.readline() == b"\x1b[31mnot json [bold]\n"
    assert said(capsys, "quarantine", "--home", home.path, "--reason", "other")[1]["total"] == 0


def test_quarantine_before_anything_was_ingested(home, capsys):
    assert run(["quarantine", "--home", str(home.path)]) == 1
    assert 'dataset "raw_files" has not been made yet' in capsys.readouterr().err


def test_why_after_a_real_ingest(home, logs, capsys):
    run(["ingest", str(logs), "--home", str(home.path)])
    capsys.readouterr()
    code, story = said(capsys, "why", "req_3", "--home", home.path)
    assert code == 0
    assert set(story) >= {"id", "sources", "steps", "sets"}
    (source,) = story["sources"]
    assert (source["line"], source["byte_offset"], source["intact"]) == (1, 0, True)
    assert source["file"].endswith("b.jsonl.gz")
    assert run(["why", "req_1", "--home", str(home.path)]) == 0
    assert "the same again in line" in capsys.readouterr().out
    assert run(["why", "req_33", "--home", str(home.path)]) == 1
    assert "Nearest: " in capsys.readouterr().err


def test_row_138_clusters_before_and_after(home, capsys):
    """Five rows in the clusters {1, 3, 4}, {2} and {5}: 1, 2 and 5 are kept, red falls from 60% to a third."""
    rows = pl.DataFrame({"id": list("12345"), "app": ["red", "blue", "red", "red", "\x1b[31mgreen"]})
    gone = pl.DataFrame(
        {"id": ["3", "4"], "reasons": [["exact_duplicate"]] * 2, "instead": ["1"] * 2, "similarity": [1.0, 1.0]}
    )
    snapshot(home.store, "screened", {"rows": rows})
    snapshot(home.store, "signals", {"rows": rows.select("id")})
    snapshot(home.store, "curated", {"rows": rows.filter(~pl.col("id").is_in(["3", "4"])), "rejected": gone})
    code, found = said(capsys, "clusters", "--home", home.path)
    assert code == 0
    assert [(c["kept"], c["members"]) for c in found["largest"]] == [("1", ["3", "4"])]
    red = next(s for s in found["shift"] if s["value"] == "red")
    assert (red["before"], red["after"], red["share_before"], red["share_after"]) == (3, 1, 0.6, 0.333333)
    assert run(["clusters", "--home", str(home.path), "--axis", "app"]) == 0
    text = capsys.readouterr().out
    assert "5 rows, 3 kept; 1 stand for others (exact_duplicate 2)" in text
    assert re.search(r"red +3 \(60.0%\) +1 \(33.3%\) +-26.7", text)
    assert "\x1b" not in text
    assert run(["clusters", "--home", str(home.path), "--axis", "ap"]) == 2
    assert 'there is no axis "ap". Did you mean "app"?' in capsys.readouterr().err


def test_clusters_before_the_first_build(home, capsys):
    assert run(["clusters", "--home", str(home.path)]) == 1
    assert "has not been made yet. Run: flywheel build" in capsys.readouterr().err


def test_diff_of_a_set_there_is_not(home, capsys):
    assert run(["diff", "nothing", "--home", str(home.path)]) == 1
    assert 'there is no set "nothing". None has been built yet. Run: flywheel build' in capsys.readouterr().err


# --- build


def test_check_of_a_home_without_data_says_so(home, capsys):
    assert run(["check", "--home", str(home.path)]) == 1
    assert 'dataset "raw_files" has not been made yet. Run: flywheel build' in capsys.readouterr().err


def test_build_refuses_before_it_starts(home, capsys):
    assert run(["build", "--home", str(home.path)]) == 1
    assert "there is nothing to build from" in capsys.readouterr().err
    home.recipe_file.write_text('name = "a"\n[[filter]]\nuse = "too_shrt"')
    assert run(["build", "--home", str(home.path)]) == 2
    assert 'there is no "too_shrt". Did you mean "too_short"?' in capsys.readouterr().err


def test_demo_does_not_mix_the_sample_with_your_logs(home, logs, capsys):
    run(["ingest", str(logs), "--home", str(home.path)])
    capsys.readouterr()
    code, answer = said(capsys, "demo", "--home", home.path)
    assert code == 2
    assert "holds logs of your own (logs/a.jsonl and others); the sample would be mixed with them" in answer["error"]


# --- as a process


def flywheel(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "flywheel", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_process_ends_with_the_code_and_keeps_stdout_clean(home, logs):
    done = flywheel("ingest", logs, "--json", FLYWHEEL_HOME=str(home.path))
    assert done.returncode == 0
    assert json.loads(done.stdout)["accepted"] == 3
    assert "reading a.jsonl" in done.stderr
    missing = flywheel("build", "--home", home.path / "none")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.count("\n") == 1


def test_importing_flywheel_costs_nothing():
    code = "import sys, flywheel; sys.exit(any(m in sys.modules for m in ('polars', 'duckdb', 'dagster', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_command_line_does_not_load_dagster():
    code = "import sys, flywheel.__main__; sys.exit(any(m in sys.modules for m in ('dagster', 'great_expectations', 'duckdb')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_review_lists_the_queue_and_writes_it(home, tmp_path, capsys):
    from flywheel.stages.review import REVIEW
    from tests.pools import snapshot

    rows = [
        {"id": f"openai_chat:r{n}", "queue": "held" if n < 2 else "active", "name": "held_iban" if n < 2 else "unsure"}
        | {"why": "it may hold an account", "score": None, "priority": n + 1, "day": None}
        for n in range(5)
    ]
    snapshot(home.store, "review", {"rows": pl.DataFrame(rows, schema=REVIEW)})
    assert run(["review", "--home", str(home.path), "--limit", "2"]) == 0
    text = capsys.readouterr().out
    assert "openai_chat:r1" in text
    assert "and 3 more" in text
    file = tmp_path / "queue.jsonl"
    assert run(["review", "--home", str(home.path), "--queue", "active", "--out", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert (told["total"], told["by_name"]) == (3, {"unsure": 3})
    assert [w["id"] for w in written] == [r["id"] for r in told["rows"]] == [f"openai_chat:r{n}" for n in (2, 3, 4)]


def test_review_before_a_build_says_what_to_do(home, capsys):
    assert run(["review", "--home", str(home.path)]) == 1
    assert "Run: flywheel build" in capsys.readouterr().err


def test_the_demo_makes_a_home_where_there_is_none(tmp_path, monkeypatch, capsys):
    built = []
    monkeypatch.setattr("flywheel.commands.demo.built", lambda home, as_json: built.append(home) or 0)
    code = run(["demo", "--home", str(tmp_path / "new"), "--json"])
    capsys.readouterr()
    assert code == 0
    assert built[0].path == tmp_path / "new"
    assert len(built[0].raw.files()) > 10
