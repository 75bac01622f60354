"""The bundled sample is what its notice and its manifest say."""

import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[1] / "flywheel" / "sample"
MANIFEST = json.loads((SAMPLE / "manifest.json").read_bytes())
PERMISSIVE = {
    "logs/taskmaster_reward_A.jsonl.gz": "Taskmaster",
    "logs/tau_airline_gpt4o_A.jsonl.gz": "tau-bench",
    "logs/arena_hard_two_models.jsonl.gz": "Arena-Hard",
    "annotators/pandalm_testset_A.jsonl.gz": "PandaLM",
    "preference/oasst_trees_A.jsonl.gz": "Open-Assistant",
    "reward/gsm8k_model_solutions_A.jsonl.gz": "GSM8K",
    "korean/chatbot_data_A.jsonl.gz": "Chatbot_data",
    "benchmark": "HumanEval",
}
"""What the manifest calls a source -> what the notice calls it."""


@cache
def lines(folder: str) -> list[tuple[str, bytes]]:
    """File name and bytes of every line of the logs or the feedback."""
    files = sorted((SAMPLE / folder).glob("*.jsonl.gz"))
    return [(f"{folder}/{f.name}", line) for f in files for line in gzip.decompress(f.read_bytes()).split(b"\n")[:-1]]


@cache
def records(folder: str) -> list[dict[str, Any]]:
    """Every line that is a record."""
    found = []
    for _, line in lines(folder):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and ("request" in record or "request_id" in record):
            found.append(record)
    return found


def test_it_is_small_and_bytes_do_not_depend_on_the_clock() -> None:
    files = [p for p in SAMPLE.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 2_500_000
    stamped = [p.name for p in files if p.suffix == ".gz" and p.read_bytes()[3:8] != b"\0" * 5]
    assert not stamped, f"{stamped[0]} names a file or a time in its gzip header. Make it with tests/make_sample.py."


def test_every_source_is_permissive_and_named_in_the_notice() -> None:
    notice = (SAMPLE / "NOTICE.md").read_text(encoding="utf-8")
    used = {r["metadata"]["source"] for r in records("logs")}
    assert used == set(MANIFEST["sources"]) == set(PERMISSIVE)
    assert [PERMISSIVE[s] for s in used if PERMISSIVE[s] not in notice] == []


def test_every_line_is_counted_in_the_manifest() -> None:
    assert Counter(name for folder in ("logs", "feedback") for name, _ in lines(folder)) == MANIFEST["lines"]


@pytest.mark.parametrize("kind", ["late", "duplicate", "orphan", "contradictory", "malformed_feedback"])
def test_feedback_has_the_faults_of_production(kind: str) -> None:
    assert len(MANIFEST["injected"][kind]) >= 10


@pytest.mark.parametrize(
    "kind", ["pii", "contaminated", "error_requests", "retried", "dup_requests", "malformed_requests"]
)
def test_logs_have_the_faults_of_production(kind: str) -> None:
    assert len(MANIFEST["injected"][kind]) >= 10


def test_injected_values_are_in_the_calls_the_manifest_names() -> None:
    text = {r["id"]: json.dumps(r["request"], ensure_ascii=False) for r in records("logs")}
    missing = [p["value"] for p in MANIFEST["injected"]["pii"] for i in p["ids"] if p["value"] not in text[i]]
    assert not missing


def test_people_rate_and_korean_is_a_tenth() -> None:
    ratings = [e for e in records("feedback") if e["type"] == "rating"]
    assert len(ratings) >= 150
    assert len({e["user_id"] for e in ratings}) == 3
    assert {e["value"] for e in ratings} == {1, 2, 3, 4, 5}
    spoken = Counter(r["metadata"]["language"] for r in records("logs"))
    assert 0.10 <= spoken["ko"] / spoken.total() <= 0.15
    assert len({r["timestamp"][:10] for r in records("logs")}) == 10


def test_several_parts_and_several_choices_are_there() -> None:
    parted = [
        r["id"] for r in records("logs") if any(isinstance(m.get("content"), list) for m in r["request"]["messages"])
    ]
    chosen = [r["id"] for r in records("logs") if r["response"] and len(r["response"]["choices"]) > 1]
    assert set(parted) == set(MANIFEST["injected"]["multi_part"])
    assert set(chosen) == set(MANIFEST["injected"]["two_choices"])


def test_the_questions_that_leaked_are_among_the_benchmarks() -> None:
    for hit in MANIFEST["injected"]["contaminated"]:
        file = SAMPLE / "benchmarks" / (Path(hit["benchmark"]).name.split(".")[0] + ".jsonl")
        items = {json.loads(line)["item"] for line in file.read_text(encoding="utf-8").split("\n") if line}
        assert hit["item"] in items, (
            f"{file.name} lacks item {hit['item']}. Make the sample again with tests/make_sample.py."
        )
