"""What the thresholds of an embedding model are read off: one table, for bundled models or for that of an endpoint.

    python benchmarks/embeddings.py --data ../shared/data
    python benchmarks/embeddings.py --endpoint http://127.0.0.1:8080/v1 --model NAME

- *same*: a light edit of a text (a word lost and two swapped, a greeting added, punctuation and capitals gone) must reach it, any
  other text must not, and of the Korean pairs that reach it most must say the same by people's judgement (KorSTS, 4 of 5
  and more).
- *paraphrase*: a GSM8K question reworded by rule (the question put first, some forty words replaced) must reach it for its
  own item, other GSM8K questions must not, whose form is the same and whose story is another.
- *unrelated*: what 95 of 100 random pairs of texts stay below.
"""

import argparse
import gzip
import json
import random
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flywheel.vectors.embeddings import CALIBRATED, MODELS, Embedder

Floats = npt.NDArray[np.float64]

SYNONYMS = {
    "how many": "what number of", "how much": "what amount of", "buys": "purchases", "bought": "purchased",
    "total": "overall", "each": "every", "needs": "requires", "makes": "produces", "make": "earn", "gives": "hands",
    "gave": "handed", "every day": "daily", "per day": "a day", "there are": "we have", "has": "owns",
    "wants to": "would like to", "friends": "pals", "money": "cash", "children": "kids", "house": "home",
    "more": "additional", "then": "after that", "also": "in addition", "if": "suppose", "took": "needed",
    "twice": "two times", "costs": "is priced at", "sells": "vends", "spend": "pay out", "spent": "paid out",
    "week": "seven days", "started": "began", "finished": "completed", "left": "remaining", "get": "receive",
    "gets": "receives", "walks": "goes on foot", "eats": "consumes", "ate": "consumed", "decides": "chooses",
    "big": "large", "small": "little", "store": "shop", "car": "vehicle",
}  # fmt: skip


def records(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON Lines file, plain or gzip."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in data.split(b"\n") if line.strip()]


def lightly_edited(text: str, choose: random.Random) -> str:
    """The text as somebody else would type it."""
    words, english = text.split(" "), text.isascii()
    kind = choose.randrange(3)
    if kind == 0 and len(words) > 6:
        at = choose.randrange(len(words) - 1)
        words[at], words[at + 1] = words[at + 1], words[at]
        del words[choose.randrange(len(words))]
        return " ".join(words)
    if kind == 1:
        return f"Hi, {text} Thanks!" if english else f"저기, {text}"
    return text.lower().rstrip(".?!")


def reworded(question: str) -> str:
    """A question said in other words: what is asked comes first, and common words are replaced."""
    sentences = re.split(r"(?<=[.?!])\s+", question.strip())
    text = " ".join([sentences[-1], *sentences[:-1]])
    for word, other in SYNONYMS.items():
        text = re.sub(rf"\b{word}\b", other, text, flags=re.IGNORECASE)
    return text


def quantiles(values: Floats, *at: float) -> str:
    """These quantiles, as people write them."""
    return " / ".join(f"{q:.3f}" for q in np.quantile(values, at))


def cosines(embedder: Embedder, left: Sequence[str], right: Sequence[str]) -> Floats:
    """Cosine of each pair."""
    return np.asarray((embedder.embed(left) * embedder.embed(right)).sum(axis=1), dtype=np.float64)


def measured(embedder: Embedder, data: Path, sample: int) -> dict[str, str]:
    """The line of one model."""
    choose, began, seen = random.Random(7), time.process_time(), 0  # noqa: S311
    line: dict[str, str] = {}
    prompts = [r["prompt"] for r in records(data / "benchmarks" / "arena_hard_v01_questions.jsonl.gz")]
    pairs = records(data / "korean" / "korsts_dev.jsonl.gz")
    korean = list(dict.fromkeys(p["sentence1"] for p in pairs))
    for name, texts in (("English", [p for p in prompts if len(p) <= 400][:sample]), ("Korean", korean[:sample])):
        vectors = embedder.embed(texts)
        if not vectors.any():
            line[name] = "not read by this model"
            continue
        every = (vectors @ vectors.T).astype(np.float64)
        others = every[~np.eye(len(texts), dtype=bool)].reshape(len(texts), -1)
        light = cosines(embedder, texts, [lightly_edited(t, choose) for t in texts])
        line |= {
            f"{name}: light edit, 1st / 5th percentile": quantiles(light, 0.01, 0.05),
            f"{name}: nearest other, 95th / highest": quantiles(others.max(axis=1), 0.95, 1.0),
            f"{name}: random pair, 50th / 95th": quantiles(others.ravel(), 0.5, 0.95),
        }
        seen += 2 * len(texts)
    told = cosines(embedder, [p["sentence1"] for p in pairs], [p["sentence2"] for p in pairs])
    score = np.array([float(p["score"]) for p in pairs])
    if told.any():
        line |= judged(told, score, threshold(embedder, "same"))
    items = [r["question"] for r in records(data / "benchmarks" / "gsm8k_test.jsonl.gz")]
    asked = choose.sample(items, sample)
    clean = choose.sample([r["question"] for r in records(data / "sft" / "gsm8k_train_A.jsonl.gz")], 2 * sample)
    own = cosines(embedder, asked, [reworded(q) for q in asked])
    stranger = (embedder.embed(clean) @ embedder.embed(items).T).max(axis=1).astype(np.float64)
    seen += 4 * sample + len(items) + 2 * len(pairs)
    cut = threshold(embedder, "paraphrase")
    right, wrong = int((own >= cut).sum()), int((stranger >= cut).sum())
    return line | {
        "GSM8K: reworded, 1st / 5th percentile": quantiles(own, 0.01, 0.05),
        f"GSM8K: other question, nearest of {len(items)} items, 95th / 99th / highest": quantiles(
            stranger, 0.95, 0.99, 1
        ),
        f"GSM8K at {cut}: recall of {len(own)}, precision among {len(clean)} clean": (
            f"{right / len(own):.3f}, {right / max(1, right + wrong):.3f}"
        ),
        "texts a CPU-second": f"{seen / (time.process_time() - began):,.0f}",
    }


def judged(told: Floats, score: Floats, same: float) -> dict[str, str]:
    """How cosines and people's scores of Korean pairs go together, and what pairs reach a threshold."""
    ranks = [np.argsort(np.argsort(v, kind="stable"), kind="stable") for v in (told, score)]
    line = {"KorSTS: rank correlation": f"{np.corrcoef(*ranks)[0, 1]:.2f}"}
    for at in sorted({round(float(q), 3) for q in (*np.quantile(told[score < 4], [0.95, 0.99]), same)}):
        hit = told >= at
        line[f"KorSTS at {at}: pairs, share scored 4 and more, 3 and more"] = (
            f"{hit.sum()}, {(score[hit] >= 4).mean():.2f}, {(score[hit] >= 3).mean():.2f}"
        )
    return line


def threshold(embedder: Embedder, name: str) -> float:
    """The threshold in use, or for an endpoint, a guess to be judged by what is printed."""
    return float(getattr(CALIBRATED["e5" if embedder.endpoint else embedder.model], name))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data", help="labelled data"
    )
    parser.add_argument("--model", action="append", help=f"one of {', '.join(MODELS)}, or that of the endpoint")
    parser.add_argument("--endpoint", help="an OpenAI-compatible API, up to /v1")
    parser.add_argument("--key", help="name of the environment variable that holds its key")
    parser.add_argument("--sample", type=int, default=160, help="texts of each kind")
    given = parser.parse_args()
    if not (given.data / "korean").exists():
        parser.error(f"{given.data} holds no labelled data. Name its folder with --data.")
    for model in given.model or MODELS:
        embedder = Embedder(model, given.endpoint, given.key)
        if why := embedder.absent():
            print(f"\n{model}: not measured, for {why}")
            continue
        print(f"\n| {model} | |\n| --- | ---: |")
        print("\n".join(f"| {what} | {told} |" for what, told in measured(embedder, given.data, given.sample).items()))


if __name__ == "__main__":
    main()
