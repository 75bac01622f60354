"""A home from raw lines to released exports, as a user runs it: `flywheel ingest`, then `flywheel build`."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPE = """\
name = "speed"
seed = 7

[[signal]]
use = "benchmark_overlap"
files = ["gsm8k_test.jsonl.gz"]

{edits}
{filters}
[[set]]
name = "chat_sft"
use = "sft"
examples = {sft}
export = ["openai", "trl"]
[set.mix.language]
en = 0.9
ko = 0.1
[set.split]
validation = 0.1

[[set]]
name = "chat_preference"
use = "preference"
export = ["trl"]

[[set]]
name = "chat_kto"
use = "kto"
export = ["trl"]

[[set]]
name = "chat_reward"
use = "reward"
scale = [1.0, 5.0]
export = ["trl"]

[[set]]
name = "chat_tools"
use = "tool_use"
export = ["openai"]

[[set]]
name = "chat_corpus"
use = "corpus"
examples = {corpus}
export = ["huggingface"]
"""
EDITS = (
    "strip_template_tokens", "strip_html", "strip_markdown", "remove_control_characters", "normalize_unicode",
    "redact_email", "redact_secret", "redact_card", "redact_iban", "redact_rrn", "redact_krn", "redact_ssn", "redact_ip",
    "redact_phone", "trim_whitespace",
)  # fmt: skip
FILTERS = (
    "failed_call", "wrong_environment", "broken_roles", "invalid_tool_call", "empty_reply", "too_short", "too_long", "truncated",
    "repetitive", "benchmark_leak", "refusal", "disliked",
)  # fmt: skip
LOOKS = 2.0
"""Seconds between two looks at the memory: a look at several gigabytes takes a while itself."""


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of processor time (its children's too) and by the clock, MB at most, what it printed."""

    cpu: float
    wall: float
    peak: float
    answer: dict[str, Any]
    code: int


def new_home(place: Path, records: int, benchmark: Path) -> Path:
    """An empty home with the recipe for so many calls."""
    shutil.rmtree(place, ignore_errors=True)
    flywheel(place, "init")
    shutil.copy(benchmark, place / benchmark.name)
    edits, filters = (
        "\n".join(f'[[{kind}]]\nuse = "{use}"\n' for use in uses)
        for kind, uses in (("edit", EDITS), ("filter", FILTERS))
    )
    recipe = RECIPE.format(edits=edits, filters=filters, sft=records // 5, corpus=records // 2)
    (place / "recipe.toml").write_text(recipe)
    return place


def flywheel(home: Path, *arguments: str) -> Cost:
    """Run a command of flywheel in a process of its own. Raises `RuntimeError` where it fails otherwise than by a check."""
    out, err = home.with_suffix(".out"), home.with_suffix(".err")
    home.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "flywheel", *arguments, "--home", str(home), "--json"]
    start = time.perf_counter()
    with out.open("wb") as answer, err.open("wb") as told:
        process = subprocess.Popen(command, stdout=answer, stderr=told)
        peak, ended = [0.0], threading.Event()
        watch = threading.Thread(target=_watch, args=(process.pid, peak, ended))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        ended.set()
        watch.join()
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1) or not out.stat().st_size:
        raise RuntimeError(
            f"flywheel {' '.join(arguments[:1])} ended with {code}: {err.read_text(errors='replace')[-2000:]}"
        )
    return Cost(usage.ru_utime + usage.ru_stime, wall, peak[0], json.loads(out.read_bytes()), code)


def _watch(pid: int, peak: list[float], ended: threading.Event) -> None:
    """Keep the most memory that a process and all below it had at one time; shared pages count once."""
    while not ended.wait(LOOKS):
        peak[0] = max(peak[0], sum(_memory(p) for p in _family(pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _memory(pid: int) -> float:
    """MB of a process: its own pages, and its share of those it shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def steps(home: Path, run: str) -> list[tuple[str, float]]:
    """Each step of a run of Dagster and the seconds it took, the longest first."""
    from flywheel.home import Home

    opened = Home.open(str(home))
    from assets import launch

    with launch.instance_of(opened) as instance:
        stats = instance.get_run_step_stats(run)
    took = [(s.step_key, s.end_time - s.start_time) for s in stats if s.end_time and s.start_time]
    return sorted(took, key=lambda step: -step[1])
