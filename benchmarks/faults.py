"""What is left standing when things break: each fault some times, against a small home, and whether nothing was lost.

    python benchmarks/faults.py --runs 20                # every fault, a table at the end
    python benchmarks/faults.py --only kill_at_a_step    # one of them

After each fault the same is asked: what was acknowledged is there and has its bytes; nothing half-made is visible; the next
build repairs what is derived, and its exports have the bytes of an undisturbed build. A fault that no build can repair (a raw file
that lost a byte) must be named by a sentence, and leave every release as it was.
"""

import argparse
import contextlib
import hashlib
import os
import random as chance
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from flywheel.home import Home  # noqa: E402

RECIPE = """
name = "small"
[[edit]]
use = "redact_email"
[[filter]]
use = "empty_reply"
[[set]]
name = "support"
use = "sft"
export = ["openai"]
"""
THINGS = ("router", "phone", "door lock", "oven", "password", "bicycle lamp", "heating")

DISTURBED = """
import os, runpy, signal, sys, time
mode, at, told = sys.argv[1], int(sys.argv[2]), sys.argv[3]
seen = 0
def counted(real):
    def call(*words, **more):
        global seen
        seen += 1
        if mode == "kill" and seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **more)
    return call
for name in ("replace", "rename", "link", "symlink", "unlink", "fsync", "mkdir", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
if mode == "clock":
    real = time.time
    time.time = lambda: real() + at
sys.argv = ["flywheel", *sys.argv[4:]]
try:
    runpy.run_module("flywheel", run_name="__main__")
finally:
    open(told, "w").write(str(seen))
"""
"""Runs the command line with every change of the file system counted: it dies just before the one asked for, or lives in another
year."""


def call(n: int) -> dict[str, object]:
    """One line of a log; no two are alike."""
    asked = f"How do I reset my {THINGS[n % 7]}, model {n * 7919}?"
    told = f"Hold button {n} for {n + 3} seconds, wait for lamp {n * 31}, then let go and count to {n * 17}."
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": told}}
    response = {"id": f"c-{n}", "object": "chat.completion", "created": 1772445600, "model": "m", "choices": [choice]}
    return {
        "id": f"req_{n}",
        "timestamp": f"2026-03-{2 + n % 3:02d}T10:00:00Z",
        "session_id": f"s{n}",
        "user_id": f"u{n % 20}",
        "request": {"model": "m", "messages": [{"role": "user", "content": asked}]},
        "response": response,
    }


def write_log(path: Path, numbers: range) -> Path:
    """A log of these calls."""
    path.write_bytes(b"".join(orjson.dumps(call(n)) + b"\n" for n in numbers))
    return path


def command(*words: object, home: Path) -> list[str]:
    """The arguments of a flywheel command."""
    return [sys.executable, "-m", "flywheel", *map(str, words), "--home", str(home)]


def run(
    *words: object, home: Path, disturbed: tuple[str, int] | None = None, told: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, or to the one it is given."""
    line = command(*words, home=home)
    if disturbed:
        line = [sys.executable, "-c", DISTURBED, disturbed[0], str(disturbed[1]), str(told or os.devnull), *line[3:]]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder; a link by where it points."""
    return {
        str(p.relative_to(folder)): os.readlink(p) if p.is_symlink() else hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


@dataclass
class Ground:
    """A home that was built, more logs to come, and what an undisturbed build makes of both."""

    folder: Path
    seed: int = 0
    random: chance.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = chance.Random(self.seed)  # noqa: S311
        self.more = write_log(self.folder / "more.jsonl", range(60, 110))
        first = write_log(self.folder / "first.jsonl", range(60))
        home = Home.create(self.folder / "built", RECIPE)
        for words in (("ingest", first), ("build",)):
            _must(run(*words, home=home.path))
        self.before = tree(home.exports)
        after = self.copy("after")
        for words in (("ingest", self.more), ("build",)):
            _must(run(*words, home=after))
        self.after = tree(after / "exports")

    def copy(self, name: str) -> Path:
        """A home of its own, to be broken."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        return Path(shutil.copytree(self.folder / "built", place, symlinks=True))

    def faults(self, home: Path, acknowledged: bool = True) -> list[str]:
        """What does not hold once the next ingest and build have run; empty where everything does."""
        found = []
        if acknowledged and (lost := [d for d in _digests(self.folder / "built") if d not in _digests(home)]):
            found.append(f"{len(lost)} acknowledged raw files are gone")
        if tree(home / "exports") not in (self.before, self.after):
            found.append("a release is half-made")
        for words in (("ingest", self.more), ("build",)):
            done = run(*words, home=home)
            if done.returncode:
                found.append(f"flywheel {words[0]} ends with {done.returncode}: {_said(done)}")
        if tree(home / "exports") != self.after:
            found.append("the exports are not those of an undisturbed build")
        return found + Home.open(home).store.verify()


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(f"the ground cannot be prepared: {_said(done)}")


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split())[-300:]


def _digests(home: Path) -> set[str]:
    return {f.digest for f in Home(home).raw.files()}


# --- faults: each breaks one home in one way and says what does not hold


def kill_at_a_step(ground: Ground, n: int) -> list[str]:
    """SIGKILL just before one of the changes to the file system of an ingest or a build."""
    home, count = ground.copy("step"), ground.folder / "steps"
    words = ("ingest", ground.more) if n % 3 == 0 else ("build",)
    if words == ("build",):
        _must(run("ingest", ground.more, home=home))
    if not (known := ground.folder / f"steps_{words[0]}").exists():
        _must(
            run(
                *words,
                home=ground.copy("counting") if words[0] == "ingest" else _ingested(ground),
                disturbed=("count", 0),
                told=count,
            )
        )
        count.rename(known)
    at = ground.random.randint(1, int(known.read_text()))
    run(*words, home=home, disturbed=("kill", at))
    return [f"{fault} (step {at} of {words[0]})" for fault in ground.faults(home)]


def _ingested(ground: Ground) -> Path:
    home = ground.copy("counting")
    _must(run("ingest", ground.more, home=home))
    return home


def kill_at_a_moment(ground: Ground, n: int) -> list[str]:
    """SIGKILL of a whole build, workers and all, after a random time."""
    home = _ingested(ground)
    child = subprocess.Popen(
        command("build", home=home),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait = ground.random.uniform(0.5, 12.0)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(wait)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return [f"{fault} (after {wait:.1f} s)" for fault in ground.faults(home)]


def two_builds_at_once(ground: Ground, n: int) -> list[str]:
    """Two builds and an ingest at the same time: who comes second is told so, and nothing is mixed."""
    home = _ingested(ground)
    lines = [command("build", home=home), command("build", home=home), command("ingest", ground.more, home=home)]
    children = [
        subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for line in lines
    ]
    said = [" ".join(child.communicate()[0].split())[-600:] for child in children]
    codes = [child.returncode for child in children]
    # Who comes when the other is between two steps learns of it in the middle of its own run, and fails with that sentence.
    told = [c in (0, 3) or (c == 1 and "only one build may run" in said[n]) for n, c in enumerate(codes)]
    strange = [f"command {n} ends with {c}: {said[n]}" for n, c in enumerate(codes) if not told[n]]
    return strange + ([] if 0 in codes[:2] else ["no build went through"]) + ground.faults(home)


def full_disk(ground: Ground, n: int) -> list[str]:
    """A disk with a random number of bytes left while a build runs: a sentence, and room heals it."""
    place = ground.folder / "disk"
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise Skipped("a small disk can be mounted by root only")
    try:
        home = Path(shutil.copytree(_ingested(ground), place / "home", symlinks=True))
        filler, left = place / "filler", ground.random.choice((0, 4_000, 40_000, 400_000, 1_500_000))
        with filler.open("wb") as f, contextlib.suppress(OSError):
            f.write(b"\0" * (shutil.disk_usage(place).free - left))
        done = run("build", home=home)
        filler.unlink()
        found = [] if done.returncode in (0, 1) and "Traceback" not in done.stderr else [f"no sentence: {_said(done)}"]
        return [f"{fault} ({left:,} bytes left)" for fault in found + ground.faults(home)]
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def damaged_snapshot(ground: Ground, n: int) -> list[str]:
    """A byte flipped or a file cut in the snapshots: named, or made again; never other exports."""
    home = ground.copy("damaged")
    target = ground.random.choice(
        sorted(p for p in (home / "snapshots").rglob("*") if p.is_file() and p.stat().st_size)
    )
    _spoil(target, ground.random)
    where = str(target.relative_to(home))
    run("ingest", ground.more, home=home)
    done = run("build", home=home)
    if done.returncode == 0:
        right = tree(home / "exports") == ground.after
        return [] if right else [f"other exports, and nobody said so ({where})"]
    if done.returncode != 1 or "Traceback" in done.stderr or not _said(done):
        return [f"no sentence ({where}): {_said(done)}"]
    return [] if tree(home / "exports") == ground.before else [f"a refused build changed a release ({where})"]


def damaged_raw(ground: Ground, n: int) -> list[str]:
    """A byte flipped or a file cut in the raw store: named by the next build, which changes no release."""
    home = ground.copy("raw")
    target = ground.random.choice(sorted(p for p in (home / "raw").rglob("*.jsonl")))
    _spoil(target, ground.random)
    done = run("build", home=home)
    if done.returncode != 1 or "Traceback" in done.stderr:
        return [f"a build over a changed raw file ends with {done.returncode}"]
    return [] if tree(home / "exports") == ground.before else ["a refused build changed a release"]


def damaged_export(ground: Ground, n: int) -> list[str]:
    """A byte flipped or a file cut in a release: the next build writes it anew."""
    home = ground.copy("export")
    _spoil(
        ground.random.choice(sorted(p for p in (home / "exports").rglob("*") if p.is_file() and not p.is_symlink())),
        ground.random,
    )
    done = run("build", home=home)
    return [] if done.returncode == 0 and tree(home / "exports") == ground.before else [f"not repaired: {_said(done)}"]


def _spoil(path: Path, of: chance.Random) -> None:
    data = bytearray(path.read_bytes())
    if of.random() < 0.5:
        data = data[: of.randrange(len(data))]
    else:
        data[of.randrange(len(data))] ^= 1 << of.randrange(8)
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def missing_folder(ground: Ground, n: int) -> list[str]:
    """A folder of derived things is gone: it is made again."""
    home = ground.copy("missing")
    gone = ground.random.choice(["exports", "snapshots", "catalog.duckdb", "inbox"])
    path = home / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    ground_exports = ground.before if gone != "exports" else {}
    found = [] if tree(home / "exports") == ground_exports or gone == "exports" else ["exports changed"]
    for words in (("ingest", ground.more), ("build",)):
        done = run(*words, home=home)
        found += [f"{words[0]}: {_said(done)}"] if done.returncode else []
    last = {k: v for k, v in tree(home / "exports").items() if gone != "exports" or k in ground.after}
    wanted = ground.after if gone != "exports" else {k: v for k, v in ground.after.items() if k in last}
    return [f"{fault} (without {gone})" for fault in found + ([] if last == wanted and last else ["other exports"])]


def read_only_home(ground: Ground, n: int) -> list[str]:
    """The home can only be read: a sentence, and nothing is changed."""
    place = ground.folder / "readonly"
    place.mkdir(exist_ok=True)
    home = _ingested(ground)
    bind = [["mount", "--bind", str(home), str(place)], ["mount", "-o", "remount,ro,bind", str(place)]]
    if os.geteuid() != 0 or any(subprocess.run(b, capture_output=True, check=False).returncode for b in bind):
        raise Skipped("a folder can be mounted read-only by root only")
    try:
        done = run("build", home=place)
        sentence = done.returncode in (1, 2) and "Traceback" not in done.stderr and done.stderr
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    return ([] if sentence else [f"no sentence: {_said(done)}"]) + ground.faults(home)


def clock_jump(ground: Ground, n: int) -> list[str]:
    """The clock is ten years off: the exports have the same bytes."""
    home = _ingested(ground)
    years = ground.random.choice((-10, -1, 1, 10)) * 365 * 86_400
    done = run("build", home=home, disturbed=("clock", years))
    return ([f"the build ends with {done.returncode}: {_said(done)}"] if done.returncode else []) + ground.faults(home)


def catalog_held(ground: Ground, n: int) -> list[str]:
    """Another process holds the catalog open while a build runs."""
    home = _ingested(ground)
    hold = f"import duckdb, time; c = duckdb.connect({str(home / 'catalog.duckdb')!r}); c.execute('create table mine(a int)'); print('held', flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = run("build", home=home)
    finally:
        holder.kill()
        holder.wait()
    return ([f"the build ends with {done.returncode}: {_said(done)}"] if done.returncode else []) + ground.faults(home)


def daemon_killed(ground: Ground, n: int) -> list[str]:
    """The UI, its daemon and the run they have started are killed in the middle of it."""
    home = ground.copy("daemon")
    port = str(ground.random.randint(20_000, 40_000))
    child = subprocess.Popen(
        command("up", "--port", port, home=home),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(12)
    shutil.copy(ground.more, home / "inbox" / ".more.part")
    (home / "inbox" / ".more.part").rename(home / "inbox" / "more.jsonl")
    time.sleep(ground.random.uniform(5, 60))
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return ground.faults(home)


def deliveries(ground: Ground, n: int) -> list[str]:
    """Files delivered again, in another order, cut in pieces, under other and under hostile names: the same exports."""
    home, lines = ground.copy("deliveries"), ground.more.read_bytes().splitlines(keepends=True)
    ground.random.shuffle(lines)
    cut = ground.random.randrange(1, len(lines))
    folder = ground.folder / "sent"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, part in (
        ("..jsonl", lines[:cut]),
        ("$(touch owned) b.jsonl", lines[cut:]),
        ("again\n.jsonl", lines[: cut // 2 + 1]),
    ):
        (folder / name).write_bytes(b"".join(part))
    (folder / "link.jsonl").symlink_to("/etc/passwd")
    names = ["$(touch owned) b.jsonl", "..jsonl", "again\n.jsonl", "..jsonl"]
    ground.random.shuffle(names)
    found = []
    for name in names:
        done = run("ingest", folder / name, home=home)
        found += [f"ingest ends with {done.returncode}: {_said(done)}"] if done.returncode else []
    done = run("ingest", folder, home=home)  # the link leads out of the folder and is passed over
    passwd = hashlib.sha256(Path("/etc/passwd").read_bytes()).hexdigest()
    if passwd in _digests(home):
        found.append("a link was followed")
    if list(ROOT.glob("owned")) or list(home.rglob("owned")):
        found.append("a file name was run")
    done = run("build", home=home)
    wanted, made = (_rows(t) for t in (ground.folder / "after", home))
    return found + ([] if done.returncode == 0 and wanted == made else [f"other rows: {_said(done)}"])


def _rows(home: Path) -> list[tuple[str, str]]:
    """Ids and digests of the released examples: lineage names other files, the rows are the same."""
    import polars as pl

    frame = pl.read_parquet(home / "exports" / "support" / "current" / "rows.parquet")
    return sorted(frame.select("id", "digest").iter_rows())


class Skipped(Exception):
    """A fault that cannot be made on this machine."""


FAULTS: dict[str, Callable[[Ground, int], list[str]]] = {
    f.__name__: f
    for f in (
        kill_at_a_step, kill_at_a_moment, two_builds_at_once, full_disk, damaged_snapshot, damaged_raw, damaged_export,
        missing_folder, read_only_home, clock_jump, catalog_held, daemon_killed, deliveries,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one fault."""

    fault: str
    runs: int
    failures: list[str]
    skipped: str
    seconds: float


def outcomes(ground: Ground, runs: int, only: list[str]) -> Iterator[Outcome]:
    """Every fault so many times."""
    for name in only or FAULTS:
        started, failures, skipped, done = time.monotonic(), [], "", 0
        for n in range(runs):
            try:
                failures += FAULTS[name](ground, n)
                done += 1
            except Skipped as e:
                skipped = str(e)
                break
            print(f"{name} {n + 1}/{runs}: {'; '.join(failures[-1:]) or 'holds'}", file=sys.stderr, flush=True)
        yield Outcome(name, done, failures, skipped, time.monotonic() - started)


def main() -> int:
    """Run the faults and print their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], choices=sorted(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = list(outcomes(Ground(Path(folder), asked.seed), asked.runs, asked.only))
    print("| Fault | Runs | Held | Seconds each |\n| --- | ---: | ---: | ---: |")
    for o in table:
        about = (FAULTS[o.fault].__doc__ or "").split(":")[0].rstrip(".")
        held = o.skipped or f"{o.runs - len(o.failures)}"
        print(f"| {about} | {o.runs} | {held} | {o.seconds / max(o.runs, 1):.0f} |")
    for o in table:
        for failure in o.failures:
            print(f"- {o.fault}: {failure}")
    return int(any(o.failures for o in table))


if __name__ == "__main__":
    raise SystemExit(main())
