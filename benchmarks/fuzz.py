"""Coverage-guided fuzzing of everything that reads what others wrote.

    python benchmarks/fuzz.py --seconds 60               # every reader for a minute each, a table at the end
    python benchmarks/fuzz.py --only source --seconds 600

Each reader may refuse its input with a sentence of ours and nothing else; what it takes must keep the promise that stands with it.
Inputs grow by libFuzzer (atheris), which keeps those that reach new branches, from real lines as seeds. Needs `pip install atheris`.
"""

import argparse
import contextlib
import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))


def source(data: bytes) -> None:
    """A line of a log or of feedback: rows with ids, or an entry in quarantine with the bytes as they came."""
    from flywheel.logs.raw import Line, RawFile
    from flywheel.logs.reader import Reader
    from flywheel.sources import SOURCES

    sources = [cls(use=use) for use, cls in SOURCES.items()]
    reader = Reader(RawFile("f" * 64, "f.jsonl", len(data), 1, Path("f.jsonl")), sources, b"key")
    reader.take(Line(1, 0, data))
    kept, refused = reader.rows["conversations"] + reader.rows["feedback"], reader.rows["quarantine"]
    assert bool(kept) or bool(refused), "the line vanished"
    assert not (kept and refused), "the line is kept and in quarantine"
    reasons = [row[3] for row in refused]  # quarantine rows: file, line, offset, reason, detail, bytes
    assert "source_failed" not in reasons, refused[0][4]


def recipe(data: bytes) -> None:
    """A recipe: valid, or refused with sentences."""
    from flywheel.recipe import parse_recipe

    parse_recipe(data.decode("utf-8", "replace"))


def rule(data: bytes) -> None:
    """A rule of a user: its expression says yes, no or null of any text, in bounded time."""
    import polars as pl

    from flywheel.tuning.preview import parse_filter
    from tests.build import chat

    text = data.decode("utf-8", "replace")
    value = json.dumps(text, ensure_ascii=False)
    found = parse_filter(f'use = "matches"\nname = "r"\ncolumn = "reply"\noperator = "matches"\nvalue = {value}')
    said = chat("user: q", f"assistant: {text[:200]}").select(found.reject().alias("hit"))
    assert said.schema["hit"] == pl.Boolean


def few_shot(data: bytes) -> None:
    """A few-shot prompt taken apart, and a serving prompt held against its form."""
    from flywheel.formats.prompts import few_shot as taken
    from flywheel.formats.prompts import lint_prompt, short_form, trained_form

    text = data.decode("utf-8", "replace")
    short_form(text)
    lint_prompt(text, trained_form(["burger -->", "car -->"]))
    taken(text)


def edits(data: bytes) -> None:
    """Every edit over a text: it ends, keeps code, and a second time changes nothing that the first left."""
    import polars as pl

    from flywheel.edits import EDITS
    from flywheel.rewriting import rewrite_text

    given = [cls(use=use) for use, cls in EDITS.items() if use != "redact_name"]
    once = rewrite_text(pl.Series([data.decode("utf-8", "replace")]), given, b"key")
    assert once.len() == 1
    assert once.dtype == pl.String


def tool_schema(data: bytes) -> None:
    """A tool's JSON Schema with arguments: faults as sentences, whatever the schema is."""
    import orjson

    from flywheel.formats.tool_schemas import faults

    schema, _, arguments = data.partition(b"\x00")
    try:
        told, given = orjson.loads(schema), orjson.loads(arguments or b"{}")
    except ValueError:
        return
    if isinstance(given, dict):
        assert all(isinstance(fault, str) for fault in faults(told, given))


def benchmark(data: bytes) -> None:
    """A benchmark file: items, or a sentence that names the line."""
    from flywheel.protection.benchmark_items import items

    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(data)
        file.flush()
        items(Path(file.name))


def template(data: bytes) -> None:
    """A chat template of a user: rendered in a sandbox, or refused; the mask lies within the text."""
    from flywheel.formats.chat_templates import ChatTemplate

    made = ChatTemplate("users", data.decode("utf-8", "replace"))
    made.render([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}])


def licence(data: bytes) -> None:
    """A licence expression: its restrictions, or the end of a sentence."""
    from flywheel.rights.licences import fault, restrictions

    expression = data.decode("utf-8", "replace")[:200]
    if fault(expression) is None:
        restrictions(expression)


def manifest(data: bytes) -> None:
    """A manifest of a snapshot: read, or said to be damaged."""
    from flywheel.storage.snapshots import Store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "things"
        path.mkdir()
        (path / "k.json").write_bytes(data)
        Store(Path(folder)).history("things")


READERS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f for f in (source, recipe, rule, few_shot, edits, tool_schema, benchmark, template, licence, manifest)
}

SEEDS: dict[str, list[bytes]] = {
    "few_shot": [b"Label the food.\n\nchickpea --> edible\nbox --> inedible\nburger -->"],
    "edits": [b"<p>Call +82 10-1234-5678 or a@b.io</p> ```<div>```  900101-1234567 https://x.y/?key=sk-abc 4111 1111 1111 1111"],
    "tool_schema": [b'{"type":"object","required":["a"],"properties":{"a":{"type":"string","pattern":"^a+$"}}}\x00{"a":"b"}'],
    "benchmark": [b'{"question":"how many ducks","answer":"9"}\n{"prompt":["a","b"]}\n'],
    "licence": [b"(MIT OR CC-BY-NC-4.0) AND GPL-2.0-only WITH Classpath-exception-2.0"],
    "rule": [rb"^(?:a|b)+\d{2,3}[^x]$"],
    "manifest": [b'{"version":"v","derivation":{"operation":"o"},"parts":[{"name":"a","key":"k"}],"schemas":{},"notes":{}}'],
}  # fmt: skip


def seeds(name: str) -> list[bytes]:
    """Real inputs to start from."""
    sample = ROOT / "flywheel" / "sample"
    if name == "source":
        files = [*sample.glob("logs/*"), *sample.glob("feedback/*")]
        packed = [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in sorted(files)]
        return [line for text in packed for line in text.splitlines()[:40]]
    if name == "recipe":
        return [(sample / "recipe.toml").read_bytes(), (ROOT / "flywheel" / "scaffold" / "recipe.toml").read_bytes()]
    if name == "template":
        return [p.read_bytes() for p in sorted((ROOT / "flywheel" / "templates").glob("*.jinja"))]
    return SEEDS[name]


def fuzz(name: str, arguments: list[str]) -> None:
    """Fuzz one reader in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["flywheel"]):
        from flywheel.errors import FlywheelError

        with contextlib.suppress(FlywheelError):  # so that what a reader imports when it is used is instrumented, too
            READERS[name](seeds(name)[0])
    reader = READERS[name]

    def once(data: bytes) -> None:
        try:
            reader(data)
        except FlywheelError as e:
            assert str(e), "an error without a sentence"  # noqa: PT017

    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


def measured(name: str, seconds: int, corpus: Path) -> dict[str, Any]:
    """Fuzz one reader in a process of its own: inputs tried, branches reached, and what broke."""
    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(seeds(name)):
        (folder / f"seed{n}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-print_final_stats=1", "-max_len=4096", "-rss_limit_mb=4096", "-timeout=20", f"-artifact_prefix={corpus}/{name}-"]  # fmt: skip
    line = [sys.executable, __file__, "--reader", name, "--", str(folder), *options]
    done = subprocess.run(line, capture_output=True, text=True, check=False, errors="replace")
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    reached = re.findall(r"cov: (\d+)", done.stderr)
    broken = "" if done.returncode == 0 else "\n".join(done.stderr.strip().splitlines()[-40:])
    return {
        "reader": name,
        "inputs": int(tried[1]) if tried else 0,
        "branches": int(reached[-1]) if reached else 0,
        "broken": broken,
    }


def main() -> int:
    """Fuzz the readers and print their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", nargs="*", default=[], choices=sorted(READERS))
    parser.add_argument("--reader", choices=sorted(READERS), help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.reader:
        fuzz(asked.reader, asked.rest)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        table = [measured(name, asked.seconds, Path(folder)) for name in asked.only or READERS]
    print("| Reader | Inputs | Branches reached | Broke |\n| --- | ---: | ---: | --- |")
    for row in table:
        print(f"| {row['reader']} | {row['inputs']:,} | {row['branches']:,} | {'yes' if row['broken'] else 'no'} |")
    for row in table:
        if row["broken"]:
            print(f"\n{row['reader']}:\n{row['broken']}")
    return int(any(row["broken"] for row in table))


if __name__ == "__main__":
    raise SystemExit(main())
