"""Make the bundled sample: ten days of production calls and feedback, replayed from permissively licensed conversations.

    python tests/make_sample.py --make-logs DIR/make_logs.py --data DIR --out flywheel/sample

The replay tool turns staged public conversations into production logs with faults. This adds what a demo needs and the
replay does not have: ratings by three people, multi-part content, a call with two choices, and the benchmark questions
that leaked. The same arguments give the same bytes; flywheel/sample/NOTICE.md names every source and every change.
"""

import argparse
import datetime as dt
import gzip
import hashlib
import importlib.util
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ARGUMENTS = {"records": 2950, "days": 10, "seed": 20260302, "users": 900, "feedback": 0.42}
"""What the replay tool is asked for; its faults stay at their default rates."""

SHARES = {
    "sess_taskmaster": (0.42, "logs/taskmaster_reward_A.jsonl.gz"),
    "sess_tau": (0.03, "logs/tau_airline_gpt4o_A.jsonl.gz"),
    "sess_arena": (0.12, "logs/arena_hard_two_models.jsonl.gz"),
    "sess_pandalm": (0.15, "annotators/pandalm_testset_A.jsonl.gz"),
    "sess_oasst": (0.02, "preference/oasst_trees_A.jsonl.gz"),
    "sess_gsm": (0.12, "reward/gsm8k_model_solutions_A.jsonl.gz"),
    "sess_korean": (0.14, "korean/chatbot_data_A.jsonl.gz"),
}
"""Reader of the replay tool -> its share of the sessions, and the file it reads. Permissive licences only."""

UNFIT = re.compile(
    r"\b(?:fuck\w*|shit\w*|bitch\w*|porn\w*|naked|sex\w*|rap(?:e[ds]?|ist)|suicid\w*|kill(?:s|ed|er)?|murder\w*|drugs?|bombs?|nazi)\b"
    r"|섹스|자살|죽고|미친|[\w.+-]+@(?!example\.)[\w-]+\.(?:com|org|net|edu|io)\b",
    re.IGNORECASE,
)
"""A session with one of these in it is left out: text not fit for a demo, and addresses that may be a real person's."""

ANNOTATORS = ("annotator_1", "annotator_2", "annotator_3")
RATED = 0.5  # share of the verdicts of each annotator that become a rating
BENCHMARK_QUESTIONS = 100  # of each benchmark: those that leaked, filled up from its beginning


def load(path: Path) -> Any:
    """The replay tool, as a module."""
    spec = importlib.util.spec_from_file_location("make_logs", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def share(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but the parts."""
    return int(hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:12], 16) / 16**12


def fit(reader: Any) -> Any:
    """The sessions of a reader, without those unfit for a demo."""

    def sessions(root: str, rel: str) -> Iterator[dict[str, Any]]:
        return (s for s in reader(root, rel) if not UNFIT.search(json.dumps(s, ensure_ascii=False)))

    return sessions


def either_reply(sessions: Any) -> Any:
    """PandaLM's sessions, half of them showing the reply its annotators preferred; people then only rate it."""

    def shown(root: str, rel: str) -> Iterator[dict[str, Any]]:
        for s in sessions(root, rel):
            turn = s["turns"][0]
            if turn["signal"] and share("shown", s["source_id"]) < 0.5:
                turn["reply"], turn["signal"] = {"role": "assistant", "content": turn["signal"]["better"]}, {}
            yield s

    return shown


def stars(votes: list[int], own: int, shown: int) -> int:
    """One annotator's rating of the shown reply (1 or 2 of a pair) from their own vote (0 tie, 1, 2) and the others'.

    Preferred 4, tie 3, not preferred 2; one further from the middle where all three annotators voted the same way.
    """
    if own == 0:
        return 3
    sign = 1 if own == shown else -1
    return 3 + sign * (2 if len(set(votes)) == 1 else 1)


def sample_run(logs: Any, data: str) -> type[Any]:
    """The replay with what the sample adds to it."""
    pairs = {str(x["idx"]): x for x in logs.read(data, "annotators/pandalm_testset_A.jsonl.gz")}
    solutions = logs.read(data, "reward/gsm8k_model_solutions_A.jsonl.gz")

    class SampleRun(logs.Run):  # type: ignore[misc]
        def spoil_requests(self) -> None:
            self.rate()
            super().spoil_requests()
            self.offer_two_choices()
            self.split_into_parts()

        def rate(self) -> None:
            """Ratings from the votes of PandaLM's three annotators, by whom and as they were given."""
            for rec in self.requests:
                if "pandalm" not in rec["metadata"]["source"]:
                    continue
                pair = pairs[rec["metadata"]["source_id"]]
                text = rec["response"]["choices"][0]["message"]["content"]
                if pair["response1"] == pair["response2"] or text not in (pair["response1"], pair["response2"]):
                    continue
                shown = 1 if text == pair["response1"] else 2
                votes = [pair["annotator1"], pair["annotator2"], pair["annotator3"]]
                for who, own in zip(ANNOTATORS, votes, strict=True):
                    if share("rated", rec["id"], who) < RATED:
                        asked = dt.datetime.fromisoformat(rec["timestamp"].replace("Z", "+00:00"))
                        when = asked + dt.timedelta(seconds=600 + 5400 * share("when", rec["id"], who))
                        self.event(
                            "rating", rec, when, value=stars(votes, own, shown), user_id=who, actor_kind="expert"
                        )

        def untold(self, kind: str) -> list[dict[str, Any]]:
            """Calls of an app that succeeded, that nobody spoke of and no fault was put into, in a fixed order."""
            told = {
                e[k]
                for e in self.events
                for k in ("request_id", "new_request_id", "chosen_request_id", "rejected_request_id")
                if k in e
            }
            hurt = {i for p in self.man["pii"] for i in p["ids"]} | {
                r[k] for r in self.man["retried"] for k in ("id", "retry")
            }
            hurt |= {m["id"] for m in self.man["missing_fields"]} | {c["id"] for c in self.man["contaminated"]}
            return sorted(
                (
                    r
                    for r in self.requests
                    if r["app"] == kind
                    and r["status"] == "ok"
                    and r["id"] not in told | hurt
                    and "variant" not in r["metadata"]
                ),
                key=lambda r: share("untold", r["id"]),
            )

        def offer_two_choices(self) -> None:
            """Two calls that asked for n = 2: the second choice is another model's real solution of the same question."""
            self.man["two_choices"] = []
            for rec in self.untold("tutor")[:2]:
                number, used = rec["metadata"]["source_id"].split("/")
                other = solutions[int(number)]["175b_verification" if used == "6b_finetuning" else "6b_finetuning"]
                rec["request"]["n"] = 2
                rec["response"]["choices"].append(
                    {
                        "index": 1,
                        "message": {"role": "assistant", "content": other["solution"]},
                        "finish_reason": "stop",
                    }
                )
                self.man["two_choices"].append(rec["id"])

        def split_into_parts(self) -> None:
            """Eight prompts of several paragraphs sent as one text part per paragraph; no character is lost but the gap."""
            self.man["multi_part"] = []
            for rec in self.untold("writing"):
                message = rec["request"]["messages"][-1]
                paragraphs = message["content"].split("\n\n")
                if len(paragraphs) > 1 and len(self.man["multi_part"]) < 8:
                    message["content"] = [{"type": "text", "text": p} for p in paragraphs]
                    self.man["multi_part"].append(rec["id"])

    return SampleRun


def squeeze(source: Path, target: Path) -> None:
    """gzip a file so that the same bytes in give the same bytes out: no name, no time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as out:
        out.write(source.read_bytes())


def benchmark_questions(logs: Any, data: str, manifest: dict[str, Any], out: Path) -> None:
    """The questions of each benchmark that leaked into the sample, and some that did not, one file per benchmark."""
    leaked: dict[str, set[str]] = {}
    for hit in manifest["injected"]["contaminated"]:
        leaked.setdefault(hit["benchmark"], set()).add(hit["item"])
    out.mkdir(parents=True, exist_ok=True)
    for rel in sorted(leaked):
        items = {}
        for number, x in enumerate(logs.read(data, rel)):
            key = str(x.get("task_id") or x.get("question_id") or number)
            items[key] = x.get("question") or x.get("prompt") or x["turns"][0]
        spare = [k for k in items if k not in leaked[rel]]
        chosen = leaked[rel] | set(spare[: max(0, BENCHMARK_QUESTIONS - len(leaked[rel]))])
        name = Path(rel).name.split(".")[0] + ".jsonl"
        text = "".join(
            json.dumps({"item": k, "question": q}, ensure_ascii=False) + "\n" for k, q in items.items() if k in chosen
        )
        (out / name).write_text(text, encoding="utf-8", newline="\n")


def make(make_logs: Path, data: Path, out: Path) -> dict[str, Any]:
    """Write the sample's logs, feedback, manifest and benchmark questions into `out`; returns the manifest."""
    logs = load(make_logs)
    logs.SOURCES = [(weight, fit(getattr(logs, reader)), (rel,)) for reader, (weight, rel) in SHARES.items()]
    logs.SOURCES = [(w, either_reply(f) if "pandalm" in rels[0] else f, rels) for w, f, rels in logs.SOURCES]
    logs.Run = sample_run(logs, str(data))
    with tempfile.TemporaryDirectory() as scratch:
        logs.main(
            [f"--out={scratch}", f"--data={data}", *(f"--{name}={value}" for name, value in ARGUMENTS.items())],
        )
        for folder, name in (("requests", "logs"), ("feedback", "feedback")):
            for old in (out / name).glob("*.jsonl.gz"):
                old.unlink()
            for day in sorted(Path(scratch, folder).glob("*.jsonl")):
                squeeze(day, out / name / f"{day.name}.gz")
        manifest = json.loads(Path(scratch, "manifest.json").read_bytes())
    manifest["lines"] = {k.replace("requests/", "logs/") + ".gz": v for k, v in manifest["lines"].items()}
    for kind in ("malformed_requests", "malformed_feedback"):
        for hit in manifest["injected"][kind]:
            hit["file"] = hit["file"].replace("requests/", "logs/") + ".gz"
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8", newline="\n")
    benchmark_questions(logs, str(data), manifest, out / "benchmarks")
    return dict(manifest)


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    ap.add_argument("--make-logs", type=Path, required=True, help="the replay tool, make_logs.py")
    ap.add_argument("--data", type=Path, required=True, help="folder of staged conversations")
    ap.add_argument("--out", type=Path, required=True, help="folder to write, such as flywheel/sample")
    given = ap.parse_args()
    make(given.make_logs, given.data, given.out)


if __name__ == "__main__":
    main()
