"""How fast each part is and how much memory it takes, beside the fastest other tools, in one run on one machine.

    python benchmarks/speed.py --data ../shared/data --work /tmp/bench

Prints tables in Markdown. The logs are made by make_corpus.py; the other tools are installed below WORK from the package index, at
the first run. Everything is done in a process of its own and counted in seconds of processor time, which a busy machine disturbs
less than the clock. What takes less than twenty seconds is done three times, the contestants in turn, and the median is told.
`--only` names parts: near, scaling, steps, end. With 1,000,000 calls all of it takes some two hours; `--sizes 20000` some minutes.

Near duplicates: sequences of five words, 128 hashes in 32 bands of 4. Recall and precision are of "is a member of a group", against
an exact join of all texts at the same threshold.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import end_to_end
from environments import python_of
from measure import TooLong, medians, run

SHORT = 20.0
"""Seconds of processor time up to which a piece of work is repeated."""
NEAR = {
    "near": ("", "flywheel", "yes, compared exactly"),
    "exact": ("", "exact join (the truth)", "yes, compared exactly"),
    "rensa_flat": ("rensa", "rensa 0.5.0, hashes from Polars and NumPy", "no"),
    "rensa_tokens": ("rensa", "rensa 0.5.0, from tokens", "yes, not compared"),
    "datasketch": ("datasketch", "datasketch 2.0.0", "yes, not compared"),
    "text_dedup": ("text-dedup", "text-dedup 0.4.0", "no"),
    "datatrove": ("datatrove", "datatrove 0.10.1", "yes, not compared"),
    "data_juicer": ("data-juicer", "data-juicer 1.6.1", "no"),
}
"""Work -> the environment it runs in ("": ours), its name in the table, whether it names pairs."""
STEPS = {
    "ingest": {"ingest_orjson": "reference", "ingest_msgspec": "reference", "ingest_datatrove": "datatrove"},
    "pii": {"pii_reference": "reference", "pii_datatrove": "datatrove", "pii_data_juicer": "data-juicer"},
    "language": {"language_reference": "reference"},
    "cleaning": {"cleaning_reference": "reference", "cleaning_data_juicer": "data-juicer"},
    "decontamination": {"decontamination_reference": "reference", "decontamination_datatrove": "datatrove"},
    "filters": {"filters_datatrove": "datatrove", "filters_data_juicer": "data-juicer"},
}
"""Our work -> that of others that do the same, and their environments."""
WHAT = {
    "ingest": "read lines, quarantine the bad ones",
    "pii": "find and redact personal data",
    "language": "tell the language",
    "cleaning": "HTML, Markdown, Unicode, white space",
    "decontamination": "find benchmark items (13 words in a row)",
    "filters": "heuristic filters",
}


class Bench:
    """One run: where the data lies, where things are made, how large."""

    def __init__(
        self, data: Path, work: Path, threshold: float, limit: float, patience: float, rounds: int, tools: set[str]
    ) -> None:
        self.data, self.work, self.threshold = data, work.resolve(), threshold
        self.limit, self.patience, self.rounds, self.tools = limit, patience, rounds, tools
        self.costs: dict[str, float] = {}
        """Seconds for the calls of the smallest size, by step and tool, for the last table."""
        self.failures: dict[str, str] = {}
        """Work -> why it could not be done."""
        self.late: set[str] = set()
        """Of these, what was not done in the time it had."""

    def corpus(self, records: int) -> Path:
        """The logs of so many calls, made where they are not there."""
        place = self.work / f"corpus-{records}"
        if not (place / "made.json").exists():
            command = [sys.executable, str(Path(__file__).with_name("make_corpus.py")), "--data", str(self.data)]
            command += ["--out", str(place), "--records", str(records)]
            made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            (place / "made.json").write_text(made)
        return place

    def logs(self, records: int) -> list[str]:
        """The log files of so many calls."""
        return sorted(str(p) for p in (self.corpus(records) / "logs").glob("*.jsonl"))

    def run(self, name: str, given: Any, environment: str = "", limit: float | None = None) -> dict[str, Any]:
        """One piece of work, ours or another's, in so many seconds."""
        python = python_of(environment, self.work) if environment else Path(sys.executable)
        found = run(python, "peers.py" if environment else "own.py", name, given, self.work / "scratch", limit)
        with (self.work / "runs.jsonl").open("a") as runs:  # what was measured, should the whole not come to its end
            runs.write(json.dumps({"at": f"{dt.datetime.now():%F %T}", "work": name} | found | {"result": None}) + "\n")
        return found

    def in_turn(self, works: Mapping[str, tuple[str, Any]], limit: float | None = None) -> dict[str, dict[str, Any]]:
        """Each work (its environment and what it is given) once or, where it is short, several times in turn.

        A work that fails, or that is another's and not done after `limit` seconds, is left out; stderr and `failures` say why.
        """
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in works}
        for _ in range(self.rounds):
            for name, (environment, given) in works.items():
                if name not in self.failures and (not runs[name] or runs[name][0]["cpu"] < SHORT):
                    progress(name)
                    try:
                        runs[name].append(self.run(name, given, environment, limit if environment else None))
                    except RuntimeError as e:
                        self.failures[name] = str(e)
                        self.late |= {name} if isinstance(e, TooLong) else set()
                        progress(str(e))
        return {name: medians(done) for name, done in runs.items() if done}


def progress(what: str) -> None:
    """Say on stderr what is going on."""
    sys.stderr.write(f"{dt.datetime.now():%H:%M:%S} {what}\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; every column but the first is flush right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# --- near duplicates


def texts(bench: Bench, records: int) -> dict[str, Any]:
    """The texts of so many calls: where they are, how many and how large."""
    place = bench.work / f"texts-{records}"
    endings = {"texts": ".parquet", "lines": ".jsonl", "words": ".words.jsonl"}
    paths = {name: str(place.with_suffix(ending)) for name, ending in endings.items()}
    told = place.with_suffix(".json")
    if not told.exists():
        told.write_text(json.dumps(bench.run("texts", paths | {"files": bench.logs(records)})["result"]))
    return paths | json.loads(told.read_bytes())


def near(bench: Bench, sizes: Sequence[int]) -> Iterator[str]:
    """Every tool at every size; one that would take too long at a size is run at half of it, at a quarter, …"""
    speed: dict[str, float] = {}
    for size in sizes:
        left = {}
        for name, (environment, _, _) in NEAR.items():
            if name not in bench.tools:
                continue
            fitting = size
            while name in speed and fitting * speed[name] > bench.limit:
                fitting //= 2
            left.setdefault(fitting, {})[name] = environment
        rows = []
        for fitting, works in sorted(left.items(), reverse=True):
            if fitting > size // 16:
                done = near_at(bench, fitting, works)
                speed |= {name: found["cpu"] / fitting for name, found in done.items()}
                rows += [near_row(name, found, fitting) for name, found in done.items() if name != "candidates"]
                if fitting == min(sizes):
                    bench.costs |= {f"near {name}": found["cpu"] for name, found in done.items()}
                if "candidates" in done and (told := done["candidates"]["result"]):
                    yield (
                        f"\nflywheel compared {told['pairs']:,} candidate pairs of {fitting:,} texts exactly. "
                        f"The largest bucket held {told['largest']:,}; none overflowed, for none is cut short.\n"
                    )
        head = (
            "Near duplicates",
            "Texts",
            "CPU-s",
            "Texts per CPU-s",
            "Wall s",
            "Peak MB",
            "Recall",
            "Precision",
            "Names pairs",
        )
        rows.sort(key=lambda row: (row[0] != "flywheel", -float(row[3].replace(",", ""))))
        yield table(head, rows) + "\n"


def near_at(bench: Bench, size: int, works: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The works at one size, judged against the exact join of the same texts."""
    made = texts(bench, size)
    given = made | {"threshold": bench.threshold}
    done = bench.in_turn({name: (environment, given) for name, environment in works.items() if name != "exact"})
    truth = bench.in_turn({"exact": ("", given)})["exact"]
    if "exact" in works:
        done["exact"] = truth
    if "near" in done:
        progress("candidates")
        done["candidates"] = bench.run("candidates", given)
        done["near"]["same"] = done["near"]["result"]["groups"] == truth["result"]["groups"]
    for name in works.keys() & done.keys():
        done[name] |= judged(done[name]["result"]["flags"], truth["result"]["flags"])
    return done


def judged(flags: Sequence[int], truth: Sequence[int]) -> dict[str, float]:
    """Recall and precision of being a member of a group."""
    both = sum(a & b for a, b in zip(flags, truth, strict=True))
    return {"recall": both / max(1, sum(truth)), "precision": both / max(1, sum(flags))}


def near_row(name: str, found: Mapping[str, Any], size: int) -> list[str]:
    _, shown, names_pairs = NEAR[name]
    if name == "near" and found["same"]:
        names_pairs += "; groups as of the exact join"
    count = len(found["result"]["flags"])
    numbers = [
        f"{count:,}",
        f"{found['cpu']:.2f}",
        f"{count / found['cpu']:,.0f}",
        f"{found['wall']:.1f}",
        f"{found['rss']:,.0f}",
    ]
    return [shown, *numbers, f"{found['recall']:.3f}", f"{found['precision']:.3f}", names_pairs]


def scaling(bench: Bench, sizes: Sequence[int]) -> Iterator[str]:
    """flywheel alone, on the first so many texts of the largest corpus."""
    made, rows = texts(bench, max(sizes)), []
    for size in sizes:
        progress(f"near, {size:,}")
        given = {"texts": made["texts"], "threshold": bench.threshold, "records": size, "groups": False}
        found = bench.run("near", given)
        count, members = len(found["result"]["flags"]), sum(found["result"]["flags"])
        numbers = (
            f"{found['cpu']:.1f}",
            f"{1e6 * found['cpu'] / count:.0f}",
            f"{found['wall']:.1f}",
            f"{found['rss']:,.0f}",
        )
        rows.append([f"{count:,}", *numbers, f"{members:,}"])
    head = ("Texts", "CPU-s", "CPU-µs per text", "Wall s", "Peak MB", "In groups")
    yield table(head, rows) + "\n"


# --- single steps


def single_steps(bench: Bench, size: int) -> Iterator[str]:
    """Each step, ours and others', on the logs of so many calls."""
    files, place = bench.logs(size), bench.work / f"said-{size}"
    benchmark = bench.data / "benchmarks" / "gsm8k_test.jsonl.gz"
    items = [r["question"] for r in _records(benchmark)]
    paths = {"out": str(place.with_suffix(".jsonl")), "users": str(place.with_suffix(".users.jsonl"))}
    made = bench.run("said", paths | {"files": files})["result"]
    ours = {"files": files, "benchmark": str(benchmark)}
    rows = []
    for step, others in STEPS.items():
        told = {"texts": paths["users" if step == "language" else "out"], "items": items, "files": files}
        works: dict[str, tuple[str, Any]] = {step: ("", ours)}
        works |= {name: (environment, told) for name, environment in others.items()}
        done = bench.in_turn(works, bench.patience)
        size_of = made["users" if step == "language" else "bytes"]
        size_of = sum(os.path.getsize(f) for f in files) if step == "ingest" else size_of
        bench.costs |= {f"{step} {name}": found["cpu"] for name, found in done.items()}
        rows += [step_row(step, name, found, size_of, done.get(step)) for name, found in done.items()]
        rows += [
            ["", tool(step, name), f"not done in {bench.patience:.0f} s", *"–––"]
            for name in works
            if name in bench.late
        ]
    yield table(("Step", "Who", "MB per CPU-s", "Time to flywheel's", "Peak MB", "Found"), rows) + "\n"


def step_row(step: str, name: str, found: Mapping[str, Any], size: int, ours: Mapping[str, Any] | None) -> list[str]:
    who = "flywheel" if name == step else tool(step, name)
    ratio = f"{found['cpu'] / ours['cpu']:.2f}×" if ours else "–"
    facts = ", ".join(f"{k} {v:,}" for k, v in found["result"].items() if v is not None)
    rate = f"{size / 1e6 / found['cpu']:,.1f}"
    return [WHAT[step] if name == step else "", who, rate, ratio, f"{found['rss']:,.0f}", facts]


def tool(step: str, name: str) -> str:
    """Whose work it is."""
    return name.removeprefix(f"{step}_").replace("_", "-")


def together(bench: Bench) -> Iterator[str]:
    """The steps that datatrove and data-juicer have, added up."""
    rows = []
    for who in ("datatrove", "data_juicer"):
        pairs = [(f"{s} {s}", f"{s} {s}_{who}", s) for s in STEPS] + [("near near", f"near {who}", "near duplicates")]
        both = [(bench.costs[a], bench.costs[b], s) for a, b, s in pairs if a in bench.costs and b in bench.costs]
        if both:
            own, other = sum(a for a, _, _ in both), sum(b for _, b, _ in both)
            rows.append(
                [
                    who.replace("_", "-"),
                    ", ".join(s for _, _, s in both),
                    f"{own:.1f}",
                    f"{other:.1f}",
                    f"{other / own:.1f}×",
                ]
            )
    yield table(("Against", "Steps it has", "flywheel, CPU-s", "It, CPU-s", "Ratio"), rows) + "\n"


def _records(path: Path) -> list[dict[str, Any]]:
    from make_corpus import read_lines

    return list(read_lines(path))


# --- from raw lines to releases


def end(bench: Bench, sizes: Sequence[int]) -> Iterator[str]:
    """Whole builds, and one more day on top of each."""
    benchmark = bench.data / "benchmarks" / "gsm8k_test.jsonl.gz"
    for size in sizes:
        made = bench.corpus(size)
        home = end_to_end.new_home(bench.work / "homes" / f"of-{size}", size, benchmark)
        progress(f"end to end, {size:,}")
        taken = end_to_end.flywheel(home, "ingest", str(made / "logs"), str(made / "feedback"))
        built = end_to_end.flywheel(home, "build")
        progress("one more day")
        day = end_to_end.flywheel(home, "ingest", str(made / "more" / "logs"), str(made / "more" / "feedback"))
        again = end_to_end.flywheel(home, "build")
        whole = end_row(f"{size:,}", size, taken, built)
        more = end_row(f"{round(size * 0.01):,} more, a day later", size // 100, day, again)
        shares = [(day.wall + again.wall) / (taken.wall + built.wall), (day.cpu + again.cpu) / (taken.cpu + built.cpu)]
        head = ("Calls", "Ingest, wall s", "Build, wall s", "CPU-s", "Calls per wall s", "Peak MB", "Sets released")
        yield table(head, [whole, more]) + "\n"
        yield f"The day more took {shares[0]:.1%} of the time of the full run, and {shares[1]:.1%} of its processor time.\n"
        yield stage_table(f"{size:,} calls", taken, built, end_to_end.steps(home, built.answer["run_id"]))
        yield stage_table("one more day", day, again, end_to_end.steps(home, again.answer["run_id"]))


def end_row(shown: str, size: int, taken: end_to_end.Cost, built: end_to_end.Cost) -> list[str]:
    wall, sets = taken.wall + built.wall, built.answer["sets"]
    numbers = [f"{taken.wall:.1f}", f"{built.wall:.1f}", f"{taken.cpu + built.cpu:.1f}", f"{size / wall:,.0f}"]
    released = f"{sum(bool(s['released']) for s in sets)} of {len(sets)}"
    return [shown, *numbers, f"{max(taken.peak, built.peak):,.0f}", released]


def stage_table(
    what: str, taken: end_to_end.Cost, built: end_to_end.Cost, took: Sequence[tuple[str, float]], shown: int = 16
) -> str:
    """Where the time of a build goes: by step of Dagster, its stages by rows, and what did not pass."""
    whole = sum(seconds for _, seconds in took)
    rows = [["`flywheel ingest`", f"{taken.wall:.1f}", ""]]
    rows += [[step, f"{seconds:.1f}", f"{seconds / whole:.1%}"] for step, seconds in took[:shown]]
    if rest := took[shown:]:
        rows += [[f"{len(rest)} others", f"{(left := sum(s for _, s in rest)):.1f}", f"{left / whole:.1%}"]]
    rows += [["start, catalog and end of `flywheel build`", f"{max(0.0, built.wall - whole):.1f}", ""]]
    columns = ("rows_in", "rows_out", "quarantined")
    counted = [[s["name"], *(f"{s.get(c) or 0:,}" for c in columns)] for s in built.answer.get("stages", [])]
    failed = [f"{c['asset']}.{c['name']} ({c['severity']})" for c in built.answer["checks"] if not c["passed"]]
    told = f"Not passed: {', '.join(failed)}.\n" if failed else ""
    head = (f"Step ({what})", "Seconds", "Of all steps")
    return "\n".join([table(head, rows), "", table(("Stage", "Rows in", "Rows out", "Quarantined"), counted), "", told])


def numbers(text: str) -> list[int]:
    """Whole numbers with commas between them."""
    return sorted(int(n) for n in text.split(","))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(__file__).parents[2] / "shared" / "data",
        help="folder of staged conversations",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "bench",
        help="where logs, homes and environments are made",
    )
    parser.add_argument("--only", default="near,scaling,steps,end", help="parts to do, with commas between them")
    parser.add_argument("--sizes", type=numbers, default=[20_000, 200_000, 1_000_000], help="calls of the builds")
    parser.add_argument(
        "--near", type=numbers, default=[20_000, 200_000], help="texts of the comparison of near duplicates"
    )
    parser.add_argument("--scaling", type=numbers, default=[20_000, 50_000, 200_000, 500_000, 1_000_000])
    parser.add_argument("--step-size", type=int, default=20_000, help="calls of the single steps")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds a tool may take; a slower one gets fewer texts"
    )
    parser.add_argument(
        "--patience", type=float, default=240.0, help="seconds after which a single step of another tool is ended"
    )
    parser.add_argument(
        "--tools", default=",".join(NEAR), help="contestants at near duplicates, with commas between them"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often short work is done")
    given = parser.parse_args()
    if not (given.data / "benchmarks").is_dir():
        parser.error(f"{given.data} holds no benchmarks. Name the folder of staged conversations with --data.")
    bench = Bench(
        given.data, given.work, given.threshold, given.limit, given.patience, given.rounds, set(given.tools.split(","))
    )
    wanted = set(given.only.split(","))
    print(f"{dt.date.today():%-d %B %Y}; {os.cpu_count()} cores, Python {platform.python_version()}, {_processor()}\n")
    parts = {
        "near": lambda: near(bench, given.near),
        "scaling": lambda: scaling(bench, given.scaling),
        "steps": lambda: [*single_steps(bench, given.step_size), *together(bench)],
        "end": lambda: end(bench, given.sizes),
    }
    for name, part in parts.items():
        if name in wanted:
            for text in part():
                print(text, flush=True)
    for name, why in bench.failures.items():
        print(f"`{name}` could not be run: {why.strip().splitlines()[-1]}")


def _processor() -> str:
    """The name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
