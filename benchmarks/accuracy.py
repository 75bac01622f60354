"""How much of what is planted is found, and how much of what is found was planted: one table.

    python benchmarks/accuracy.py --data ../shared/data

The logs are a replay of real conversations with faults of production put in, made anew at each run and the same each time;
`make_logs.py` in the data folder makes them and lists every fault. Personal data is measured on labelled sentences as well.
"""

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flywheel.edits import EDITS
from flywheel.home import Home
from flywheel.kinds import Redaction
from flywheel.logs.reader import whole_files
from flywheel.protection import benchmark_items
from flywheel.rewriting import rewrite
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.exact_duplicate import ExactDuplicate
from flywheel.signals.language import Language
from flywheel.signals.toxicity import Toxicity, score
from flywheel.stages import ingest
from flywheel.storage.snapshots import Snapshot

BENCHMARKS = ("gsm8k_test.jsonl.gz", "humaneval.jsonl.gz", "mt_bench_questions.jsonl")
KINDS = {"email": "redact_email", "phone": "redact_phone", "card": "redact_card", "api_key": "redact_secret"}
"""What the replay calls a value -> the edit that is to redact it."""
KOREAN = (
    (
        "제 주소는 {서울특별시 강남구 테헤란로 152}이고 연락처는 {010-1234-5678}입니다.",
        ("redact_address", "redact_phone"),
    ),
    ("{경기도 성남시 분당구 판교역로 166}으로 보내 주세요. 문의 {02-123-4567}", ("redact_address", "redact_phone")),
    ("{부산광역시 해운대구 우동 1408-5}에 삽니다. 메일은 {minsu@example.kr}", ("redact_address", "redact_email")),
    ("주민등록번호 {900101-1234568}, 휴대폰 {01098765432}", ("redact_rrn", "redact_phone")),
    ("{마포구 월드컵북로 396} 앞에서 {0507-1234-5678}로 전화했어요", ("redact_address", "redact_phone")),
    ("사업자등록번호는 {124-81-00998}이고 대표번호는 {1588-1234}입니다", ("redact_krn", "redact_phone")),
    ("우편번호 {06236}, {강남구 역삼동 825-20번지}", ("redact_address", "redact_address")),
    ("{031 123 4567} 또는 {+82 10-1234-5678}로 연락 주세요", ("redact_phone", "redact_phone")),
    ("회의는 2026년 11월 24일 10시 30분에 3층에서 2시간 동안 합니다.", ()),
    ("친구 집으로 2번 갔다가 다시 학교로 3시에 왔다. 1,234,567원을 냈다.", ()),
    ("버전 3.11.9에서 12345678건을 처리하고 1800-1500=300을 얻었다.", ()),
    ("주문번호 20261124-0001234, 제품번호 KR12-3456-AB", ()),
)
"""Korean sentences, with braces around each value, and the edit that is to find it."""
PLAIN = ("benchmarks/gsm8k_test.jsonl.gz", "sft/gsm8k_train_A.jsonl.gz", "benchmarks/humaneval.jsonl.gz")
"""Mathematics and code: full of numbers, and no personal data in them."""
TOXIC = 0.7
LABELS = {
    "EMAIL_ADDRESS": "redact_email",
    "PHONE_NUMBER": "redact_phone",
    "CREDIT_CARD": "redact_card",
    "IBAN_CODE": "redact_iban",
    "US_SSN": "redact_ssn",
    "IP_ADDRESS": "redact_ip",
    "STREET_ADDRESS": "redact_address",
    "PERSON": "redact_name",
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
        if edit.absent() is not None:
            continue
        truth = recalled = found = right = 0
        for sentence in sentences:
            # The labels cut a house number or a ZIP code off its street; alone it is a number like any other.
            alike = [
                s
                for s in sentence["spans"]
                if s["type"] == label or (label == "STREET_ADDRESS" and s["type"] == "ZIP_CODE")
            ]
            wanted = [
                s for s in alike if not (use == "redact_address" and sentence["text"][s["start"] : s["end"]].isdigit())
            ]
            values = edit.find(sentence["text"])
            places = [(at, at + len(v)) for v in values if (at := sentence["text"].find(v)) >= 0]
            truth, found = truth + len(wanted), found + len(places)
            recalled += sum(any(a < s["end"] and b > s["start"] for a, b in places) for s in wanted)
            right += sum(any(a < s["end"] and b > s["start"] for s in alike) for a, b in places)
        yield Score(f"{label}, labelled sentences", truth, recalled, found, right, use)


def korean_values() -> Iterator[Score]:
    """Values in Korean sentences, all kinds together."""
    edits = {
        use: EDITS[use](use=use)
        for use in ("redact_address", "redact_phone", "redact_email", "redact_rrn", "redact_krn")
    }
    truth = recalled = found = 0
    for marked, uses in KOREAN:
        values = re.findall(r"\{([^}]*)\}", marked)
        text = re.sub(r"[{}]", "", marked)
        told = {use: edit.find(text) for use, edit in edits.items() if isinstance(edit, Redaction)}
        truth, found = truth + len(values), found + sum(map(len, told.values()))
        recalled += sum(value in told[use] for value, use in zip(values, uses, strict=True))
    yield Score(
        "Korean addresses, phone, e-mail, resident and business numbers", truth, recalled, found, recalled, "five edits"
    )


def plain_numbers(data: Path) -> Iterator[Score]:
    """What the edits take for personal data in texts that hold none."""
    texts = {v for file in PLAIN for r in records(data / file) for v in r.values() if isinstance(v, str)}
    edits = [
        e
        for cls in EDITS.values()
        if issubclass(cls, Redaction) and not cls.on_request
        for e in [cls.model_validate({})]
    ]
    found = {
        e.use: sum(len(e.find(t)) for t in pl.Series(sorted(texts)).gather(e.suspects(pl.Series(sorted(texts)))))
        for e in edits
    }
    told = ", ".join(f"{use} {n}" for use, n in found.items() if n) or "nothing"
    yield Score(f"{len(texts):,} texts of mathematics and code", 0, 0, 0, 0, f"found: {told}")


def toxicity(data: Path) -> Iterator[Score]:
    """Texts that people called offensive. The model was trained on the first of the three, so that says little."""
    tweets = [(r["text"], r["cls"] != 2) for r in records(data / "toxicity" / "davidson_A.jsonl.gz")]
    said: dict[tuple[str, str], list[float]] = {}
    words: dict[tuple[str, str], str] = {}
    for r in records(data / "annotators" / "convabuse_A.jsonl.gz"):
        said.setdefault((r["conv_id"], r["example_no"]), []).append(float(r["severity"]))
        words[r["conv_id"], r["example_no"]] = r["user"] or ""
    turns = [(words[k], sum(v) < 0) for k, v in said.items()]
    korean = [(r["comments"], r["hate"] != "none") for r in records(data / "toxicity" / "korean_hate_dev.jsonl.gz")]
    for name, group in (
        ("tweets (Davidson, training data)", tweets),
        ("turns to chat bots (ConvAbuse)", turns),
        ("Korean comments", korean),
    ):
        scores = score(pl.Series([text for text, _ in group], dtype=pl.String), Toxicity().min_known)
        hits = (scores >= TOXIC).fill_null(False).to_list()
        both = sum(hit and bad for hit, (_, bad) in zip(hits, group, strict=True))
        judged = len(group) - scores.null_count()
        yield Score(
            f"offensive {name}",
            sum(bad for _, bad in group),
            both,
            sum(hits),
            both,
            f"toxicity >= {TOXIC}; {judged:,} of {len(group):,} judged",
        )


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
    found, truth = Counter(), Counter(Path(p["file"]).name for p in planted)
    for name, lines in bad.iter_rows():
        found[Path(name).name] += lines
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
            *korean_values(),
            *plain_numbers(given.data),
            *toxicity(given.data),
            *languages(given.data),
            *decontamination(rows, manifest["contaminated"], given.data),
            *malformed(files, manifest["malformed_requests"] + manifest["malformed_feedback"]),
            *duplicates(rows, conversations.scan("set_aside").collect(), manifest),
        ]
    print("| What | In truth | Recall | Precision | By |\n| --- | ---: | ---: | ---: | --- |")
    print("\n".join(one.line() for one in scores))


if __name__ == "__main__":
    main()
