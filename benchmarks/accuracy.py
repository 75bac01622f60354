"""How much of what is planted is found, and how much of what is found was planted: one table.

    python benchmarks/accuracy.py --data ../shared/data

The logs are a replay of real conversations with faults of production put in, made anew at each run and the same each time;
`make_logs.py` in the data folder makes them and lists every fault. Personal data is measured on labelled sentences as well.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flywheel import benchmark_items
from flywheel.edits import EDITS
from flywheel.home import Home
from flywheel.kinds import Redaction
from flywheel.reader import whole_files
from flywheel.rewriting import rewrite
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.exact_duplicate import ExactDuplicate
from flywheel.signals.language import Language
from flywheel.snapshots import Snapshot
from flywheel.stages import ingest

BENCHMARKS = ("gsm8k_test.jsonl.gz", "humaneval.jsonl.gz", "mt_bench_questions.jsonl")
KINDS = {"email": "redact_email", "phone": "redact_phone", "card": "redact_card", "api_key": "redact_secret"}
"""What the replay calls a value -> the edit that is to redact it."""
LABELS = {
    "EMAIL_ADDRESS": "redact_email",
    "PHONE_NUMBER": "redact_phone",
    "CREDIT_CARD": "redact_card",
    "IBAN_CODE": "redact_iban",
    "US_SSN": "redact_ssn",
    "IP_ADDRESS": "redact_ip",
}
"""What the labelled sentences call a span -> the edit that is to find it."""


@dataclass(frozen=True)
class Score:
    """One line of the table. `found` and `right` are counted over what was found, `recalled` over the truth."""

    what: str
    truth: int
    recalled: int
    found: int
    right: int
    remark: str = ""

    def line(self) -> str:
        """The line as Markdown."""
        recall = f"{self.recalled / self.truth:.3f}" if self.truth else "–"
        precision = f"{self.right / self.found:.3f}" if self.found else "–"
        return f"| {self.what} | {self.truth:,} | {recall} | {precision} | {self.remark} |"


def records(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON Lines file, plain or gzip."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in data.split(b"\n") if line.strip()]


def taken_in(home: Home, logs: Path) -> tuple[Snapshot, Snapshot]:
    """Every file of the replay, read."""
    for file in sorted(logs.glob("*/*.jsonl")):
        home.raw.keep(file)
    arrivals = [f.digest for f in home.raw.files()]
    files = home.store.publish(ingest.read_files(home.raw, home.secret))
    return files, home.store.publish(ingest.conversations(files, arrivals))


def said(rows: pl.DataFrame) -> pl.Series:
    """All text of each conversation."""
    return rows.select(
        pl.col("messages").list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")
    ).to_series()


def planted_values(rows: pl.DataFrame, planted: Sequence[dict[str, Any]], secret: bytes) -> Iterator[Score]:
    """Values put into the logs that the edits take out again. What else they take out is real; it is judged on sentences."""
    edits = [EDITS[use](use=use) for use in ("redact_email", "redact_secret", "redact_card", "redact_phone")]
    text = dict(zip(rows["id"].to_list(), said(rewrite(rows, edits, secret)[0]).to_list(), strict=True))
    for kind in KINDS:
        places = [(f"openai_chat:{i}", p["value"]) for p in planted if p["kind"] == kind for i in p["ids"]]
        places = [(i, value) for i, value in places if i in text]
        gone = sum(value not in text[i] for i, value in places)
        yield Score(f"{kind}, planted in logs", len(places), gone, 0, 0, KINDS[kind])


def labelled_values(data: Path) -> Iterator[Score]:
    """Spans of labelled sentences that the edits find, and what they find that bears no label of any kind."""
    sentences = records(data / "pii" / "presidio_synth_v2.jsonl.gz")
    for label, use in LABELS.items():
        edit = EDITS[use](use=use)
        assert isinstance(edit, Redaction)
        truth = recalled = found = right = 0
        for sentence in sentences:
            wanted = [s for s in sentence["spans"] if s["type"] == label]
            values = edit.find(sentence["text"])
            places = [(at, at + len(v)) for v in values if (at := sentence["text"].find(v)) >= 0]
            truth, found = truth + len(wanted), found + len(places)
            recalled += sum(any(a < s["end"] and b > s["start"] for a, b in places) for s in wanted)
            right += sum(any(a < s["end"] and b > s["start"] for s in wanted) for a, b in places)
        yield Score(f"{label}, labelled sentences", truth, recalled, found, right, use)


def languages(data: Path) -> Iterator[Score]:
    """Sentences whose language is known."""
    sentences = records(data / "langid" / "lingua_24langs_A.jsonl.gz")
    korean = [
        {"lang": "ko", "kind": "sentences", "text": r["Q"]}
        for r in records(data / "korean" / "chatbot_data_A.jsonl.gz")
    ]
    for name, group in (
        ("24 languages, sentences", [s for s in sentences if s["kind"] == "sentences"]),
        ("24 languages, two words", [s for s in sentences if s["kind"] != "sentences"]),
        ("English sentences", [s for s in sentences if s["lang"] == "en" and s["kind"] == "sentences"]),
        ("Korean small talk", korean),
    ):
        rows = pl.DataFrame(
            {
                "id": [str(i) for i in range(len(group))],
                "messages": [[{"role": "user", "content": s["text"]}] for s in group],
            }
        )
        told = Language().measure(rows.lazy()).collect()["language"].to_list()
        same = sum(a == s["lang"] for a, s in zip(told, group, strict=True))
        known = sum(a != "und" for a in told)
        yield Score(name, len(group), same, known, same, "language")


def decontamination(rows: pl.DataFrame, planted: Sequence[dict[str, Any]], data: Path) -> Iterator[Score]:
    """Planted benchmark questions, per way they were dressed. Right is also a row that says an item word for word."""
    signal = BenchmarkOverlap(files=BENCHMARKS).located(data / "benchmarks")
    found = signal.measure(rows.lazy()).collect().filter(pl.col("benchmark_share") > 0.5)
    hits = dict(found.select("id", "benchmark_hit").rows())
    items = {i.text for path in signal.paths for i in benchmark_items.items(path)}
    here = {f"openai_chat:{p['id']}": p for p in planted if f"openai_chat:{p['id']}" in set(rows["id"].to_list())}
    text = dict(zip(rows["id"].to_list(), said(rows).to_list(), strict=True))
    verbatim = {i for i in hits if any(item in text[i] for item in items)}
    retried = {i for i in hits if any(text[i] == text[p] for p in here)}
    right = set(hits) & (set(here) | verbatim | retried)
    yield Score(
        "benchmark items, all",
        len(here),
        sum(p in hits for p in here),
        len(hits),
        len(right),
        "benchmark_overlap > 0.5",
    )
    for how in sorted({p["how"] for p in planted}):
        these = [i for i, p in here.items() if p["how"] == how]
        named = sum(hits.get(i, "").endswith(f"#{here[i]['item']}") for i in these)
        yield Score(
            f"benchmark items, {how}",
            len(these),
            sum(i in hits for i in these),
            len(these),
            named,
            "precision: the right item is named",
        )


def malformed(files: Snapshot, planted: Sequence[dict[str, Any]]) -> Iterator[Score]:
    """Lines made unreadable, per file."""
    names = whole_files(files).select("file", "name")
    bad = files.scan("quarantine").join(names, on="file").group_by("name").len().collect()
    found, truth = Counter(dict(bad.rows())), Counter(Path(p["file"]).name for p in planted)
    both = sum((found & truth).values())
    yield Score("malformed lines", sum(truth.values()), both, sum(found.values()), both, "quarantine, counted per file")


def duplicates(rows: pl.DataFrame, aside: pl.DataFrame, manifest: dict[str, Any]) -> Iterator[Score]:
    """Lines logged twice, and calls made again under another id."""
    twice = {f"openai_chat:{i}" for i in manifest["dup_requests"]}
    repeated = set(aside.filter(pl.col("status") == "repeated")["id"].to_list())
    yield Score(
        "lines logged twice",
        len(twice),
        len(twice & repeated),
        len(repeated),
        len(twice & repeated),
        "set aside as repeated",
    )
    signal = ExactDuplicate()
    group = dict(signal.relate(signal.sketch(rows.lazy())).collect().rows())
    pairs = [(f"openai_chat:{r['id']}", f"openai_chat:{r['retry']}") for r in manifest["retried"]]
    pairs = [p for p in pairs if p[0] in group and p[1] in group]
    whole = dict(
        zip(
            rows["id"].to_list(),
            rows.select(
                pl.col("messages").cast(
                    pl.List(pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.String}))
                )
            )
            .to_series()
            .to_list(),
            strict=True,
        )
    )
    members = [(i, g) for i, g in group.items() if i != g]
    yield Score(
        "calls made again", len(pairs), sum(group[a] == group[b] for a, b in pairs),
        len(members), sum(whole[i] == whole[g] for i, g in members), "exact_duplicate; precision: the texts are the same",
    )  # fmt: skip


def main() -> None:
    """Make the logs, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(__file__).parents[2] / "shared" / "data",
        help="folder of labelled data and make_logs.py",
    )
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    if not (given.data / "make_logs.py").exists():
        parser.error(f"{given.data} holds no make_logs.py. Name the folder of labelled data with --data.")
    with tempfile.TemporaryDirectory() as place:
        logs, home = Path(place) / "logs", Home.create(Path(place) / "home")
        size = ["--records", str(given.records), "--days", "14", "--seed", str(given.seed)]
        subprocess.run(
            [sys.executable, str(given.data / "make_logs.py"), "--out", str(logs), *size],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        manifest = json.loads((logs / "manifest.json").read_text())["injected"]
        files, conversations = taken_in(home, logs)
        rows = conversations.scan().collect()
        scores = [
            *planted_values(rows, manifest["pii"], home.secret),
            *labelled_values(given.data),
            *languages(given.data),
            *decontamination(rows, manifest["contaminated"], given.data),
            *malformed(files, manifest["malformed_requests"] + manifest["malformed_feedback"]),
            *duplicates(rows, conversations.scan("set_aside").collect(), manifest),
        ]
    print("| What | In truth | Recall | Precision | By |\n| --- | ---: | ---: | ---: | --- |")
    print("\n".join(score.line() for score in scores))


if __name__ == "__main__":
    main()
