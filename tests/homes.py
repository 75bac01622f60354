"""Small homes for tests that run the graph: hand-made logs and feedback, and what a run of it came to."""

import datetime as dt
import hashlib
import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import polars as pl
import pytest

from assets.definitions import definitions
from assets.launch import QUIET
from checks import assemble
from flywheel.formats.chat_templates import template
from flywheel.home import Home
from flywheel.quality import measures
from flywheel.quality.targets import TARGETS, Target


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "jungle",
    "kernel",
    "ladder",
    "marble",
    "nectar",
    "orchid",
    "pepper",
    "quartz",
    "ribbon",
    "saddle",
    "timber",
    "umbra",
    "velvet",
    "walnut",
    "xenon",
    "yarrow",
    "zephyr",
    "anchor",
    "bridge",
    "candle",
    "dragon",
    "engine",
    "falcon",
    "garden",
    "hammer",
]
RECIPE = """
name = "small"
[[signal]]
use = "benchmark_overlap"
files = ["benchmarks/quiz.jsonl"]
[[signal]]
use = "benchmark_similarity"
files = ["benchmarks/riddle.jsonl"]
[[tuned]]
model = "m"
set = "answers"
[policy]
drop_fields = ["zip_code"]
[policy.types]
"metadata.score" = "float"
[purpose]
commercial = true
distributed = false
competing = false
[loop]
max_synthetic_share = 0.5
[[source]]
name = "own_users"
licence = "LicenseRef-own-users"
restricts = []
where = { column = "source", operator = "is", value = "openai_chat" }
[[teacher]]
models = ["*"]
terms = "allowed"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
template = "chatml"
max_tokens = 4096
serving = "serving"
[[set]]
name = "verdicts"
use = "kto"
export = ["trl"]
template = "chatml"
max_tokens = 4096
serving = "serving"
"""
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def words(n: int, salt: str, count: int = 16) -> str:
    """A text that no other number and salt gives."""
    digits = hashlib.sha256(f"{salt}{n}".encode()).digest()
    return " ".join(WORDS[b % len(WORDS)] for b in digits[:count])


def call(n: int, **changed: Any) -> dict[str, Any]:
    """The log line of call `n`: 12 a day, a user each."""
    when = NOON + dt.timedelta(days=n // 12, minutes=n % 12)
    reply = {"role": "assistant", "content": f"Answer: {words(n, 'reply')}."}
    return {
        "id": f"req_{n}",
        "timestamp": when.isoformat(),
        "session_id": f"s{n}",
        "user_id": f"u{n}",
        "request": {"model": "m", "messages": [{"role": "user", "content": f"Please explain {words(n, 'ask')}."}]},
        "response": {
            "id": f"chatcmpl-{n}",
            "object": "chat.completion",
            "created": int(when.timestamp()),
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": reply}],
        },
    } | changed


def thumb(n: int, up: bool) -> dict[str, Any]:
    """A thumb on call `n`, given an hour after noon of its day."""
    said = (NOON + dt.timedelta(days=n // 12 % 28, hours=1)).isoformat()
    return {
        "event_id": f"fb_{n}",
        "type": "thumbs",
        "request_id": f"req_{n}",
        "user_id": f"u{n}",
        "created_at": said,
        "received_at": said,
        "value": "up" if up else "down",
    }


def drop(home: Home, name: str, *lines: dict[str, Any], age: float = 60.0) -> Path:
    """A file in the inbox that was written `age` seconds ago."""
    path = home.inbox / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def small_home(path: Path, recipe: str = RECIPE, calls: int = 24) -> Home:
    """A home with a benchmark, and with logs of two days and a thumb on every second call in its inbox."""
    home = Home.create(path, recipe=recipe)
    (path / "benchmarks").mkdir(exist_ok=True)
    (path / "benchmarks" / "quiz.jsonl").write_text(json.dumps({"question": words(0, "quiz", 24)}) + "\n")
    riddle = {"question": "둘은 다리가 넷이고 셋은 다리가 여섯인 것은 무엇입니까"}
    (path / "benchmarks" / "riddle.jsonl").write_text(json.dumps(riddle) + "\n")
    (path / "serving").mkdir(exist_ok=True)
    (path / "serving" / "chat_template.jinja").write_text(template("chatml").source)
    drop(home, "logs/first.jsonl", *[call(n) for n in range(calls)])
    drop(home, "feedback/first.jsonl", *[thumb(n, up=n % 4 == 0) for n in range(0, calls, 2)])
    return home


class Ran:
    """What a run of the graph came to."""

    def __init__(self, home: Home, job: str = "build", only: Sequence[str] = ()) -> None:
        chosen = {"asset_selection": [dg.AssetKey(name) for name in only]} if only else {}
        # A command that ran in this process before may have left the home of another test in the environment.
        here = patch.dict(os.environ, {"FLYWHEEL_HOME": str(home.path)})
        with here, dg.DagsterInstance.ephemeral() as instance:
            runnable = definitions(home.path, wait=5.0).resolve_job_def(job)
            done = runnable.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET, **chosen)
        self.success = done.success
        self.made = {e.asset_key.to_user_string() for e in done.get_asset_materialization_events() if e.asset_key}
        self.checks = {(e.asset_key.to_user_string(), e.check_name): e for e in done.get_asset_check_evaluations()}
        self.failures = {
            e.step_key: e.step_failure_data.user_failure_data.description
            for e in done.all_events
            if e.is_step_failure and e.step_failure_data.user_failure_data
        }

    @property
    def released(self) -> set[str]:
        """The releases that were made."""
        return {name for name in self.made if name.endswith("_release")}


def exported(home: Home) -> dict[str, bytes | str]:
    """Every file below the export folder with its bytes, every link with its aim."""
    return {
        str(p.relative_to(home.exports)): os.readlink(p) if p.is_symlink() else p.read_bytes()
        for p in sorted(home.exports.rglob("*"))
        if p.is_symlink() or (p.is_file() and not any(q.is_symlink() for q in p.parents))
    }


def doctor(monkeypatch: pytest.MonkeyPatch, function: str, metric: str, value: float) -> None:
    """Let a function of `flywheel.quality.measures` say that a metric has this value, whatever it counts.

    "candidate" is everything that is measured of a set.
    """
    where, function = (assemble, "measured") if function == "candidate" else (measures, function)
    counted = getattr(where, function)

    def told(*inputs: object) -> pl.DataFrame:
        frame: pl.DataFrame = counted(*inputs)
        return frame.with_columns(
            value=pl.when(pl.col("metric") == metric).then(pl.lit(float(value))).otherwise("value")
        )

    monkeypatch.setattr(where, function, told)


def out_of_bounds(target: Target) -> float:
    """A value that a target does not allow."""
    return target.max + 1 if target.max is not None else (target.min or 0.0) - 1


def blocking(*assets: str) -> list[tuple[str, str]]:
    """Asset and check of every check of these assets that blocks unless the recipe says otherwise."""
    return [(asset, target.name) for asset in assets for target in TARGETS[asset] if target.blocking]
