"""One recipe over real data that makes every kind of set, through the command line: what holds is released, the rest is blocked
for the right reason."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.home import Home
from flywheel.sets import SETS

pytestmark = pytest.mark.slow

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RATING = {"Poor": 1, "Not Good": 2, "Passable": 3, "Good": 4, "Excellent": 5}
RECIPE = """
name = "every_kind"
seed = 7

[feedback]
infer = ["correction", "rephrase"]

[[edit]]
use = "redact_email"
[[edit]]
use = "redact_secret"

[[filter]]
use = "failed_call"
[[filter]]
use = "empty_reply"
[[filter]]
use = "broken_roles"
[[filter]]
use = "disliked"
[[filter]]
use = "corrected_later"

[[set]]
name = "answers"
use = "sft"
examples = 150
export = ["openai", "huggingface"]
[set.mix.source]
openai_chat = 1.0

[[set]]
name = "sessions"
use = "sft"
turns = "whole"
system = "drop"
export = ["openai", "axolotl"]
[set.mix.app]
topical_chat = 1.0

[[set]]
name = "pairs"
use = "preference"
votes = "majority"
export = ["trl", "openai"]

[[set]]
name = "verdicts"
use = "kto"
export = ["trl", "llama_factory"]

[[set]]
name = "ratings"
use = "reward"
export = ["trl"]

[[set]]
name = "rating_pairs"
use = "reward_pairs"
export = ["trl", "huggingface"]

[[set]]
name = "documents"
use = "corpus"
export = ["trl", "huggingface"]

[[set]]
name = "reasoning"
use = "cot"
answers = "solutions.jsonl"
examples = 100
export = ["trl", "axolotl"]

[[set]]
name = "steps"
use = "stepwise"
export = ["trl", "huggingface"]

[[set]]
name = "ai_or_human"
use = "detector"
export = ["huggingface"]
[set.mix.origin]
logged = 0.5
demonstrated = 0.5

[[set]]
name = "agents"
use = "tool_use"
export = ["trl", "openai"]

[[set]]
name = "trajectories"
use = "tool_use"
task = "task_id"
verified = "reward"
origins = ["observed"]
export = ["trl"]
[set.mix.source]
chat_dataset = 1.0

# --- these cannot be

[[set]]
name = "agents_without_tools"
use = "tool_use"
export = ["trl"]
[set.mix.source]
oasst_trees = 1.0

[[set]]
name = "korean"
use = "sft"
examples = 5000
export = ["openai"]
[set.mix.language]
ko = 0.5
en = 0.5

[[set]]
name = "stars_of_ten"
use = "reward"
scale = [6, 10]
export = ["trl"]
"""
RELEASED = {
    "answers", "sessions", "pairs", "verdicts", "ratings", "rating_pairs", "documents", "reasoning", "steps", "ai_or_human", "agents", "trajectories",
}  # fmt: skip


SETS_OF_RECIPE = re.findall(r'\[\[set\]\]\nname = "(\w+)"', RECIPE)


def lines_of(path: Path, most: int) -> list[dict[str, Any]]:
    """The first lines of a staged file."""
    with gzip.open(path, "rb") as file:
        return [json.loads(line) for line, _ in zip(file, range(most), strict=False)]


def call(id: str, session: str, turn: int, messages: list[dict[str, str]], **beside: Any) -> dict[str, Any]:
    """A logged call whose last message is the reply."""
    *asked, reply = messages
    when = f"2026-03-05T10:{turn % 60:02}:00Z"
    answer = {"id": f"c-{id}", "model": "m", "choices": [{"index": 0, "message": reply, "finish_reason": "stop"}]}
    return {
        "id": id,
        "timestamp": when,
        "session_id": session,
        "user_id": f"u-{session}",
        "turn_index": turn,
        "request": {"model": "m", "messages": asked},
        "response": answer,
    } | beside


def rated(id: str, value: float, rater: str, actor_kind: str = "end_user") -> dict[str, Any]:
    told = {"event_id": f"r-{id}", "type": "rating", "request_id": id, "value": value, "actor_kind": actor_kind}
    return told | {"user_id": rater, "created_at": "2026-03-06T10:00:00Z"}


def topical_chat(sessions: int) -> Iterator[dict[str, Any]]:
    """Human conversations as a chat bot's: every second turn is a reply, rated as people rated it."""
    for n, talk in enumerate(lines_of(DATA / "conversations" / "topical_chat_valid_freq.jsonl.gz", sessions)):
        told = [{"role": "system", "content": "Chat about the article."}]
        for turn, said in enumerate(talk["turns"][:8]):
            told.append({"role": "assistant" if turn % 2 else "user", "content": said["message"]})
            if turn % 2:
                id = f"tc{n}-{turn}"
                yield call(id, f"tc{n}", turn, list(told), app="topical_chat")
                stars = RATING.get(said["turn_rating"])
                if stars:
                    yield rated(id, stars, f"rater{n % 5}")
                if stars in (1, 2):
                    yield rated(f"{id}d", 0, f"u-tc{n}") | {"type": "thumbs", "value": "down", "request_id": id}


def solutions(questions: int) -> Iterator[dict[str, Any]]:
    """What four models answered to one question: rated by a verifier, and labelled step by step by the outcome."""
    for n, asked in enumerate(lines_of(DATA / "reward" / "gsm8k_model_solutions_A.jsonl.gz", questions)):
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            right, text = asked[model]["is_correct"], asked[model]["solution"]
            steps = [s for s in text.split("\n") if s.strip()]
            messages = [{"role": "user", "content": asked["question"]}, {"role": "assistant", "content": text}]
            id = f"gs{n}-{model}"
            yield call(id, f"gs-{id}", 0, messages, step_labels=[True] * (len(steps) - 1) + [right], license="MIT")
            yield rated(id, 5 if right else 1, f"verifier{n % 2}", "code")


def trajectories() -> Iterator[dict[str, Any]]:
    """Recorded agents with the tools they had, as far as they used them."""
    lines = lines_of(DATA / "logs" / "tau_airline_gpt4o_A.jsonl.gz", 100)
    called = {c["function"]["name"] for t in lines for m in t["traj"] for c in m.get("tool_calls") or ()}
    tools = [{"type": "function", "function": {"name": n, "parameters": {"type": "object"}}} for n in sorted(called)]
    for line in lines:
        yield {k: line[k] for k in ("task_id", "trial", "reward", "traj")} | {"tools": tools}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, Any]]:
    if not DATA.exists():
        pytest.skip("the staged data is not on this machine")
    folder = tmp_path_factory.mktemp("every_kind")
    home = Home.create(folder / "home", recipe=RECIPE)
    given = folder / "given"
    replay = [sys.executable, str(DATA / "make_logs.py"), "--out", str(given / "logs"), "--records", "500"]
    subprocess.run([*replay, "--days", "2", "--seed", "7"], check=True, capture_output=True)
    (given / "logs" / "manifest.json").unlink()
    files = {
        "topical_chat": list(topical_chat(40)),
        "solutions": list(solutions(60)),
        "gsm8k": lines_of(DATA / "sft" / "gsm8k_train_A.jsonl.gz", 160),
        "hh": lines_of(DATA / "preference" / "hh_harmless_test_A.jsonl.gz", 120),
        "oasst": lines_of(DATA / "preference" / "oasst_trees_A.jsonl.gz", 20),
        "tau": list(trajectories()),
    }
    for name, told in files.items():
        (given / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    gold = [{"question": line["question"], "answer": line["answer"]} for line in files["gsm8k"]]
    (home.path / "solutions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in gold[:150]))
    flywheel(home, "ingest", str(given))
    return home, flywheel(home, "build", fails=True)


def flywheel(home: Home, *arguments: str, fails: bool = False) -> dict[str, Any]:
    """What a command says in JSON."""
    command = [sys.executable, "-m", "flywheel", *arguments, "--home", str(home.path), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"FLYWHEEL_DEBUG": "1"}, check=False)
    assert ran.returncode == int(fails), ran.stderr[-3000:]
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def test_every_kind_of_set_is_made_and_those_that_hold_are_released(built):
    _, told = built
    sets = {s["name"]: s for s in told["sets"]}
    assert {s["kind"] for s in sets.values()} == set(SETS)
    assert {name for name, s in sets.items() if s["released"]} == RELEASED


def failures(told: dict[str, Any], name: str) -> dict[str, str]:
    return {c["name"]: c["summary"] for c in told["checks"] if c["asset"] == name and not c["passed"] and c["blocking"]}


def test_what_cannot_be_is_blocked_for_the_right_reason_and_the_others_go_on(built):
    home, told = built
    assert not told["success"]
    empty = failures(told, "agents_without_tools")["set_is_not_empty"]
    assert "lost to an empty set" in empty
    assert "NO_TOOLS:" in empty
    assert "set_is_large_enough" in failures(told, "korean")
    stars = failures(told, "stars_of_ten")["set_is_not_empty"]
    assert "OFF_SCALE" in stars
    warned = {c["name"]: c["summary"] for c in told["checks"] if c["asset"] == "stars_of_ten" and not c["passed"]}
    assert "Declare the scale" in warned["ratings_are_on_scale"]
    for name in set(SETS_OF_RECIPE) - RELEASED:
        assert not (home.exports / name).exists()


def test_the_files_of_each_kind_have_its_form(built):
    home, _ = built
    first = {
        n: json.loads((home.exports / n / "current" / "train.jsonl").read_text().split("\n")[0])
        for n in RELEASED - {"ai_or_human"}
    }
    keys = {name: set(line) for name, line in first.items()}
    assert keys["answers"] >= {"messages"}
    assert keys["pairs"] >= {"prompt", "chosen", "rejected"}
    assert keys["verdicts"] >= {"prompt", "completion", "label"}
    assert keys["ratings"] >= {"prompt", "completion", "score"}
    assert keys["rating_pairs"] >= {"prompt", "chosen", "rejected", "margin"}
    assert keys["documents"] == {"text"}
    assert first["reasoning"]["completion"][0]["thinking"]
    assert keys["steps"] == {"prompt", "completions", "labels"}
    assert keys["agents"] >= {"prompt", "completion", "tools"}
    texts = pl.read_parquet(home.exports / "ai_or_human" / "current" / "train.parquet")
    assert texts.columns == ["text", "label"]
    assert (home.exports / "verdicts" / "current" / "kto.yaml").exists()


def test_row_13_sessions_learn_the_turns_people_liked(built):
    home, _ = built
    rows = pl.read_parquet(home.exports / "sessions" / "current" / "rows.parquet")
    joined = rows.filter(pl.col("parents").list.len() > 1)
    assert joined.height > rows.height / 2
    for prompt, kept, parents in joined.select("prompt", "learned", "parents").iter_rows():
        assert [m["role"] for m, k in zip(prompt, kept, strict=True) if k] == ["assistant"] * sum(kept)
        assert 0 < sum(kept) <= len(parents) - 1
    masked = [
        m["role"] == "assistant" and not k
        for p, ks in joined.select("prompt", "learned").iter_rows()
        for m, k in zip(p, ks, strict=True)
    ]
    assert any(masked)  # what people disliked


def test_row_7_only_solutions_with_a_known_answer_are_learned(built):
    home, told = built
    (cot,) = [s for s in told["sets"] if s["name"] == "reasoning"]
    assert cot["rows"] == 100
    rows = pl.read_parquet(home.exports / "reasoning" / "current" / "rows.parquet")
    assert rows["completion"].list.first().struct.field("reasoning").is_not_null().all()


def test_row_10_only_trajectories_that_succeeded_are_learned(built):
    home, told = built
    (made,) = [s for s in told["sets"] if s["name"] == "trajectories"]
    lost = home.store.head("trajectories").scan("rejected").select("reasons").explode("reasons").collect()
    assert made["rows"] >= 5
    assert (lost["reasons"] == "UNVERIFIED").sum() > made["rows"]
