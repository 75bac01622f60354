"""Rows and tokens of a set, from signals or from texts, and what a dropped system prompt saves."""

from pathlib import Path

import orjson
import pytest

from flywheel.__main__ import run
from flywheel.errors import PlanInvalid
from flywheel.home import Home
from flywheel.quantity.advisor import task_of
from flywheel.quantity.tokens_of_sets import lengths, released_tokens, tokens_of
from flywheel.signals.tokens import count
from tests.homes import Ran, call, drop

SYSTEM = "You are a patient assistant of a large shop. " * 20
RECIPE = """
name = "short"
[serving]
calls = 1000000
price = 0.15
training = 30
[[set]]
name = "dropped"
use = "sft"
system = "drop"
export = ["openai"]
[[set]]
name = "kept"
use = "sft"
export = ["openai"]
"""


def with_system(n: int) -> dict[str, object]:
    line = call(n)
    messages = [{"role": "system", "content": SYSTEM}, *line["request"]["messages"]]
    return line | {"request": line["request"] | {"messages": messages}}


@pytest.mark.slow
def test_rows_53_122_160_tokens_and_savings_of_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE)
    drop(home, "logs/first.jsonl", *[with_system(n) for n in range(12)])
    assert Ran(home).success
    told = {name: released_tokens(home.exports / name) for name in ("dropped", "kept")}
    saved = count(SYSTEM)
    assert (told["dropped"]["examples"], told["dropped"]["tokenizer"]) == (12, "o200k")
    assert told["dropped"]["prompt_as_logged"] == told["kept"]["prompt"]
    assert told["kept"]["prompt"] - told["dropped"]["prompt"] == 12 * saved
    assert told["dropped"]["completion"] == told["kept"]["completion"] > 12
    assert "prompt_as_logged" not in told["kept"]
    # What the signals say of a plain set is what its texts say.
    kept = next(s for s in home.recipe().sets if s.name == "kept")
    assert tokens_of(kept, home.store.head("kept"), None) == told["kept"]
    manifest = orjson.loads((home.exports / "dropped" / "current" / "manifest.json").read_bytes())
    assert manifest["economics"]["saved"] == pytest.approx(saved * 0.15)
    card = (home.exports / "dropped" / "current" / "README.md").read_text()
    assert f"Prompts are {saved:,.1f} tokens shorter than as logged" in card
    assert f"Over 1,000,000 calls that saves {saved * 0.15:,.2f}" in card
    task = task_of(lengths(home.store.head("dropped")))
    assert (task.turns, task.tool_share, task.distinct_replies) == (1.0, 0.0, 1.0)

    at = ["--home", str(home.path), "--json"]
    capsys.readouterr()
    assert run(["economics", "dropped", "--price", "0.15", *at]) == 0
    assert orjson.loads(capsys.readouterr().out)["tokens_per_call"] == saved
    assert run(["advise", "dropped", "--base", "7e9", *at]) == 0
    assert orjson.loads(capsys.readouterr().out)["suggestion"] == "PEFT on a stronger base"


def test_no_release_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid, match='no version of "nothing" is released that tells its tokens'):
        released_tokens(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["budget", "--money", "10000", "--price", "2"], {"examples": 5_000}),
        (
            ["budget", "--money", "10000", "--price", "2", "--compute", "2000", "--overlap", "0.3"],
            {"examples": 3_076},
        ),
        (["budget", "--tokens", "2e12", "--tokens-per-example", "2000"], {"examples": 1.0e9}),
        (["budget", "--tokens", "16e12", "--tokens-per-example", "2000"], {"examples": 8.0e9}),
        (["budget", "--money", "100", "--price", "2", "--tokens-per-example", "10"], {"examples": 50, "tokens": 500}),
        (["economics", "--before", "420", "--after", "20", "--calls", "1e6", "--price", "0.15"], {"saved": 60.0}),
        (["advise", "--rows", "300"], {"suggestion": "PEFT on a stronger base"}),
        (["advise", "--rows", "200000"], {"suggestion": "full finetuning of a smaller model is plausible"}),
    ],
)
def test_rows_48_51_53_122_on_the_command_line(
    arguments: list[str], expected: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert {k: found[k] for k in expected} == expected
    assert run(arguments) == 0
    assert len(capsys.readouterr().out.strip()) > 10


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["budget", "--money", "1"], "Give price"),
        (["budget", "--tokens", "1"], "go together"),
        (["advise"], "say which set, or how many rows"),
        (["economics", "--price", "1"], "give --before and --after"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert why in capsys.readouterr().err
