"""Whatever comes in wrong: one sentence with the cure, an exit code, no stack trace, nothing lost, earlier releases untouched."""

import contextlib
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from benchmarks.faults import RECIPE, tree
from flywheel.home import Home

ROOT = Path(__file__).resolve().parents[1]
THINGS, EVENTS = (
    ("router", "phone", "door lock", "oven", "password", "bicycle lamp", "heating"),
    ("flood", "fire", "move"),
)


def call(n):
    """One line of a log; no two are alike."""
    asked = f"How do I reset my {THINGS[n % 7]}, model {n * 7919}, after a {EVENTS[n % 3]}?"
    told = f"Hold button {n} for {n + 3} seconds, wait for lamp {n * 31}, then let go and count to {n * 17}."
    message = {"role": "assistant", "content": told}
    return {
        "id": f"req_{n}",
        "timestamp": f"2026-03-{2 + n % 3:02d}T10:00:00Z",
        "session_id": f"s{n}",
        "user_id": f"u{n % 20}",
        "request": {"model": "m", "messages": [{"role": "user", "content": asked}]},
        "response": {
            "id": f"chatcmpl-{n}",
            "object": "chat.completion",
            "created": 1772445600,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        },
    }


def log(numbers):
    return b"".join(orjson.dumps(call(n)) + b"\n" for n in numbers)


def flywheel(*words, home, timeout=300.0):
    """Run one command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "flywheel", *map(str, words), "--home", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def told(done):
    """Everything a person reads, on one line."""
    return " ".join((done.stdout + done.stderr).split())


def refused(done, code, *said, sentences=1):
    """The command ended with this code and these words; on stderr stands one sentence of ours at most, and never a trace."""
    assert done.returncode == code, f"exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
    for words in said:
        assert words in told(done), f"{words!r} is not in:\n{done.stdout}\n{done.stderr}"
    for trace in ("Traceback", 'File "', "Error:", "dagster._core", "This is a fault of flywheel"):
        assert trace not in done.stderr, done.stderr
    assert sum(line.startswith("flywheel: ") for line in done.stderr.splitlines()) == sentences


@pytest.fixture
def home(tmp_path):
    """A home with a recipe and no logs."""
    return Home.create(tmp_path / "home", RECIPE)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A home that was built and released from; for copying only."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "calls.jsonl").write_bytes(log(range(60)))
    home = Home.create(folder / "home", RECIPE)
    assert flywheel("ingest", folder / "calls.jsonl", home=home.path).returncode == 0
    done = flywheel("build", home=home.path)
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def copy(built, tmp_path):
    """A copy of the built home, to be broken."""
    shutil.copytree(built.path, tmp_path / "copy", symlinks=True)
    return Home.open(tmp_path / "copy")


# --- the recipe and the home


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ('name = "a\n', "recipe.toml is not valid TOML: "),
        ("\x00", "recipe.toml is not valid TOML: "),
        ('name = "a"\n[[filter]]\nuse = "too_shrt"', 'there is no "too_shrt". Did you mean "too_short"?'),
        ('name = "a"\n[[sett]]\nuse = "sft"', 'there is no "sett" here. Did you mean "set"?'),
        (
            RECIPE + "[set.mix.language]\nen = 0.5\nko = 0.4",
            "set.0.support.mix.language: the shares add up to 0.9; expected 1.",
        ),
        (RECIPE + "examples = 0", "recipe.toml has 1 fault: set.0.sft.examples: found 0;"),
        ("", "name: is missing. Add it."),
    ],
)
def test_a_broken_recipe(home, recipe, said):
    home.recipe_file.write_text(recipe)
    refused(flywheel("build", home=home.path), 2, said)


@pytest.mark.parametrize("command", ["check", "up"])
def test_a_broken_recipe_stops_every_command_that_needs_it(copy, command):
    copy.recipe_file.write_text("name = 1")
    refused(flywheel(command, home=copy.path, timeout=60), 2, "recipe.toml has 1 fault: name: found 1;")


def test_a_recipe_that_is_a_folder_or_no_text(home):
    home.recipe_file.write_bytes(b"\xff\xfe\x00")
    refused(flywheel("build", home=home.path), 2, "is not UTF-8 text (byte 0). Save it as UTF-8.")
    home.recipe_file.unlink()
    home.recipe_file.mkdir()
    refused(flywheel("build", home=home.path), 2, "cannot be read: Is a directory. Run: flywheel init")


def test_a_missing_home(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "none", tmp_path / "file"):
        refused(flywheel("build", home=place), 2, f"no flywheel home at {place}", f"Run: flywheel init {place}")
    refused(flywheel("init", home=tmp_path / "file"), 2, "cannot be made: ", "Name a folder you may write to")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["build"], "there is nothing to build from: no log file has come to"),
        (["check"], 'dataset "raw_files" has not been made yet. Run: flywheel build'),
        (["why", "req_1"], "Nothing has been built in this home yet. Run: flywheel build"),
        (["diff", "support"], "None has been built yet. Run: flywheel build"),
        (["quarantine"], 'dataset "raw_files" has not been made yet. Run: flywheel build'),
    ],
)
def test_a_home_without_logs(home, command, said):
    refused(flywheel(*command, home=home.path), 1, said)


# --- files


def unreadable(folder):
    """Files that cannot be read, and what is said of each."""
    folder.mkdir()
    (folder / "dir.jsonl").mkdir()
    (folder / "dangling.jsonl").symlink_to("nowhere")
    (folder / "bad.jsonl.gz").write_bytes(b"not gzip")
    (folder / "bad.jsonl.zst").write_bytes(b"not zstd")
    (folder / "bad.parquet").write_bytes(b"not parquet")
    (folder / "table.csv").write_text("id,text\n1,hello\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0")
    (folder / "array.json").write_bytes(orjson.dumps([call(1), call(2)]))
    (folder / "pretty.json").write_bytes(orjson.dumps(call(1), option=orjson.OPT_INDENT_2))
    (folder / "table.jsonl.gz").write_bytes(gzip.compress(b"id,text\n1,hello\n"))
    os.mkfifo(folder / "pipe.jsonl")
    return {
        "none.jsonl": "cannot be read: No such file or directory",
        "dir.jsonl": "holds no log file; expected names that end with .jsonl",
        "dangling.jsonl": "cannot be read: No such file or directory",
        "bad.jsonl.gz": "cannot be read as .jsonl.gz",
        "bad.jsonl.zst": "cannot be read as .jsonl.zst",
        "bad.parquet": "cannot be read as .parquet",
        "table.csv": "is no log: none of its lines is JSON, the first is 'id,text'. Expected JSON Lines",
        "picture.png": "is no log: it is no text.",
        "array.json": "is no log: it is one JSON array; to make lines of it: jq",
        "pretty.json": "is no log: it is one JSON document over several lines",
        "table.jsonl.gz": "is no log: none of its lines is JSON",
        "pipe.jsonl": "is no regular file",
    }


def test_files_that_are_no_logs(home, tmp_path):
    expected = unreadable(tmp_path / "files")
    before = sorted(p.name for p in (tmp_path / "files").iterdir())
    for name, said in expected.items():
        done = flywheel("ingest", tmp_path / "files" / name, home=home.path, timeout=60)
        refused(done, 2, name, said, sentences=0)
    assert home.raw.files() == []
    assert sorted(p.name for p in (tmp_path / "files").iterdir()) == before


def test_a_bad_file_does_not_stop_the_good_ones(home, tmp_path):
    unreadable(tmp_path / "files")
    (tmp_path / "files" / "good.jsonl").write_bytes(log([1, 2]))
    files = sorted(p for p in (tmp_path / "files").iterdir())
    done = flywheel("ingest", *files, "--json", home=home.path)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["accepted"], answer["quarantined"]) == (2, 2, 0)
    assert len(answer["errors"]) == len(files) - 1
    assert [f.name for f in home.raw.files()] == ["good.jsonl"]


def test_a_file_of_an_unknown_format_is_kept_and_named(home, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"some": "thing"}\n{"an": "other"}\n')
    done = flywheel("ingest", tmp_path / "other.jsonl", home=home.path)
    refused(
        done, 2, "2 lines read: 0 accepted", "no line of", "see why: flywheel quarantine", "openai_chat", sentences=0
    )


def test_a_file_that_breaks_off_gives_what_it_has(home, tmp_path):
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(log(range(60)), mtime=0)[:-40])
    done = flywheel("ingest", tmp_path / "cut.jsonl.gz", "--json", home=home.path)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["by_reason"]) == (0, {"truncated_file": 1})
    assert answer["accepted"] > 0


# --- others at work


def test_a_second_build_at_the_same_time(copy):
    before = tree(copy.exports)
    with copy.lock(who="flywheel build"):
        for command in (["build"], ["ingest", ROOT / "README.md"]):
            refused(flywheel(*command, home=copy.path), 3, "is at work in", "Wait for it to end, then run this again.")
    assert tree(copy.exports) == before


def test_a_port_in_use(home):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = flywheel("up", "--port", port, home=home.path, timeout=60)
    refused(done, 2, f"port {port} on 127.0.0.1 is in use. Choose another: flywheel up --port ")


# --- what was stored


@pytest.mark.slow
def test_a_tampered_raw_byte_is_named_and_nothing_is_built(copy, tmp_path):
    (tmp_path / "more.jsonl").write_bytes(log(range(100, 110)))
    flywheel("ingest", tmp_path / "more.jsonl", home=copy.path)
    file = next(f.path for f in copy.raw.files() if f.name == "calls.jsonl")
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    before, candidate = tree(copy.exports), copy.store.head_key("support")
    done = flywheel("build", home=copy.path)
    refused(done, 1, "raw_bytes_are_unchanged", "calls.jsonl", "Restore the named file from a backup.", sentences=0)
    assert tree(copy.exports) == before
    assert copy.store.head_key("support") == candidate


def test_a_deleted_catalog_is_made_again_with_the_same_answers(copy):
    before = flywheel("why", "req_3", "--json", home=copy.path)
    copy.catalog_file.unlink()
    after = flywheel("why", "req_3", "--json", home=copy.path)
    assert (before.returncode, after.returncode) == (0, 0)
    assert before.stdout == after.stdout
    assert copy.catalog_file.exists()


@pytest.mark.slow
def test_lost_snapshots_are_named_and_made_again(copy):
    before = tree(copy.exports)
    shutil.rmtree(copy.store.root / "parts")
    for command in (["why", "req_3"], ["quarantine"], ["diff", "support", "current", "candidate"]):
        refused(flywheel(*command, home=copy.path), 1, "named by the manifest but not there. Run: flywheel build")
    assert flywheel("build", home=copy.path).returncode == 0
    assert tree(copy.exports) == before
    assert flywheel("why", "req_3", home=copy.path).returncode == 0


@pytest.mark.slow
def test_spoiled_snapshots_are_named_with_the_cure_that_heals(copy):
    before = tree(copy.exports)
    tables = [p.tables["rows"].path for p in copy.store.head("screened").parts]
    for table in tables:
        table.write_bytes(b"x" * table.stat().st_size)
    for command in (["build"], ["why", "req_3"]):
        refused(flywheel(*command, home=copy.path), 1, "rows.parquet cannot be read", "Delete the folder")
    for table in tables:
        shutil.rmtree(table.parent)
    assert flywheel("build", home=copy.path).returncode == 0
    assert tree(copy.exports) == before


# --- wishes that cannot be met


@pytest.mark.slow
def test_a_set_that_cannot_be_filled_says_how_many_rows_short_in_which_cell(copy):
    before = tree(copy.exports)
    copy.recipe_file.write_text(
        RECIPE.replace("[[set]]", "[[set]]\nexamples = 500") + "[set.mix.language]\nen = 0.5\nko = 0.5\n"
    )
    done = flywheel("build", home=copy.path)
    refused(done, 1, "set_is_large_enough", "440 of 500 rows short (language=ko: 250; language=en: 190)", sentences=0)
    assert "Lower `examples`, change the mix, or bring more logs of the short cells." in told(done)
    assert tree(copy.exports) == before


@pytest.mark.slow
def test_a_recipe_without_sets_asks_for_one(copy):
    before = tree(copy.exports)
    copy.recipe_file.write_text('name = "small"\n')
    done = flywheel("build", home=copy.path)
    refused(done, 0, "The recipe asks for no set yet. Add a [[set]] to recipe.toml.", sentences=0)
    assert tree(copy.exports) == before


@pytest.mark.slow
def test_a_set_taken_out_of_the_recipe_keeps_its_releases(copy):
    before = tree(copy.exports)
    copy.recipe_file.write_text(RECIPE.replace('"support"', '"other"'))
    done = flywheel("build", "--json", home=copy.path)
    refused(done, 0, sentences=0)
    assert [s["name"] for s in json.loads(done.stdout)["sets"]] == ["other"]
    assert {k: v for k, v in tree(copy.exports).items() if k.startswith("support/")} == before
    held = json.loads(flywheel("why", "req_3", "--json", home=copy.path).stdout)["sets"]
    assert {s["set"] for s in held} == {"support", "other"}


@pytest.mark.slow
def test_logs_of_which_nothing_can_be_used(home, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"some": "thing"}\n')
    flywheel("ingest", tmp_path / "other.jsonl", home=home.path)
    done = flywheel("build", home=home.path)
    refused(done, 1, "100% of 1 lines quarantined", "flywheel quarantine", "support · ", sentences=0)
    assert list(home.exports.iterdir()) == []


# --- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def filled(disk, left):
    """A disk with only so many bytes left."""
    filler = disk / "filler"
    with filler.open("wb") as f, contextlib.suppress(OSError):
        f.write(b"\0" * (shutil.disk_usage(disk).free - left))
    try:
        yield
    finally:
        filler.unlink()


@pytest.mark.fault
def test_a_full_disk(built, small_disk, tmp_path):
    """At any moment of an ingest and of a build: a sentence, no earlier release touched, and the right bytes once there is room."""
    (tmp_path / "more.jsonl").write_bytes(log(range(1_000, 3_000)))
    homes = [tmp_path / "roomy", small_disk / "home"]
    for place in homes:
        shutil.copytree(built.path, place, symlinks=True)
    roomy, small = map(Home.open, homes)
    before = tree(small.exports)
    for left in (0, 100_000):
        with filled(small_disk, left):
            done = flywheel("ingest", tmp_path / "more.jsonl", home=small.path)
        refused(done, 1, "the disk is full", "Free some space, then run this again.")
    for home in (roomy, small):
        assert flywheel("ingest", tmp_path / "more.jsonl", home=home.path).returncode == 0
    for left in (0, 100_000, 400_000, 1_200_000):
        with filled(small_disk, left):
            done = flywheel("build", home=small.path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "the disk is full" in told(done)
        assert "Traceback" not in done.stderr
        assert tree(small.exports) == before
    for home in (roomy, small):
        assert flywheel("build", home=home.path).returncode == 0
    assert tree(small.exports) == tree(roomy.exports)
    assert tree(small.exports) != before
    assert small.store.verify() == []
