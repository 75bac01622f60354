"""The truth about a corpus is true."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.make_corpus import Corpus, Text, cut
from flywheel.sources.feedback_events import FeedbackEvents
from flywheel.sources.openai_chat import OpenAIChat

ROOT = Path(__file__).parents[2]
QUESTIONS = [
    f"Ann has {n} apples and buys {n + 2} more at the market. How many apples has she in all?" for n in range(5)
]


def corpus(records: int = 3000, seed: int = 7) -> Corpus:
    """A small corpus of the sample's sentences."""
    said: dict[str, list[str]] = {"en": [], "ko": [], "fr": ["Il fait beau ce matin à Paris.", "Où est ma commande ?"]}
    for path in sorted((ROOT / "flywheel" / "sample" / "logs").glob("*.gz"))[:4]:
        for line in gzip.decompress(path.read_bytes()).split(b"\n"):
            if b'"messages"' in line and line.endswith(b"}"):
                for message in orjson.loads(line)["request"]["messages"]:
                    text = message.get("content") if isinstance(message.get("content"), str) else ""
                    said["ko" if any("가" <= c <= "힣" for c in text) else "en"] += cut(text)
    return Corpus(Text(said), QUESTIONS, records, days=4, more=0.05, seed=seed)


def files(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.jsonl"))}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    corpus().write(out)
    return out


def test_the_same_seed_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    corpus().write(tmp_path / "again")
    corpus(seed=8).write(tmp_path / "other")
    assert files(tmp_path / "again") == files(written)
    assert files(tmp_path / "other") != files(written)


def lines(folder: Path) -> tuple[dict[str, Any], set[tuple[str, int]]]:
    """The calls of a folder by id, and the places of the lines that are none."""
    calls: dict[str, Any] = {}
    broken = set()
    for path in sorted(folder.glob("logs/*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                call = orjson.loads(line)
                calls[call["id"]] = call
            except (orjson.JSONDecodeError, TypeError):
                broken.add((path.name, number))
    return calls, broken


def test_what_is_planted_is_there(written: Path) -> None:
    calls, broken = lines(written)
    truth = [orjson.loads(line) for line in (written / "truth.jsonl").read_bytes().splitlines()]
    assert len(calls) == 3000
    assert {(t["file"], t["line"]) for t in truth if "malformed" in t} == broken
    planted = [t for t in truth if "id" in t]
    share = {kind: sum(kind in t for t in planted) / len(calls) for kind in ("exact_of", "near_of", "pii", "language")}
    assert share["exact_of"] == pytest.approx(0.06, abs=0.02)
    assert share["near_of"] == pytest.approx(0.12, abs=0.03)
    assert share["pii"] == pytest.approx(0.08, abs=0.03)
    assert share["language"] == pytest.approx(0.12, abs=0.04)
    for t in planted:
        call = calls[t["id"]]
        text = orjson.dumps(call["request"]["messages"]).decode() + orjson.dumps(call["response"]).decode()
        assert all(p["value"] in text for p in t.get("pii", []))
        if "exact_of" in t:
            assert call["request"]["messages"] == calls[t["exact_of"]]["request"]["messages"]
            assert (
                call["response"]["choices"][0]["message"] == calls[t["exact_of"]]["response"]["choices"][0]["message"]
            )
        if "near_of" in t:
            assert 0 < t["near_of"]["edits"] / t["near_of"]["words"] < 0.2
            assert t["near_of"]["id"] in calls
        if "benchmark" in t and not t["benchmark"]["edits"] and "near_of" not in t:
            assert QUESTIONS[t["benchmark"]["item"]] in text


def test_every_other_line_is_one_the_sources_read(written: Path) -> None:
    calls, _ = lines(written)
    more, _ = lines(written / "more")
    assert len(more) == 150
    assert not calls.keys() & more.keys()
    for call in [*calls.values(), *more.values()]:
        assert OpenAIChat(use="openai_chat").read(call)
    events = [orjson.loads(e) for p in written.rglob("feedback/*.jsonl") for e in p.read_bytes().splitlines()]
    assert len(events) > 200
    for event in events:
        target = event["request_id"]
        assert target in calls or target in more
        assert FeedbackEvents(use="feedback_events").read(event)
