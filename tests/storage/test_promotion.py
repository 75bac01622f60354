"""Versions of a set through the command line: scores, promotion and its refusal, rollback, what a later build does."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from flywheel.__main__ import run
from flywheel.home import Home
from tests.homes import Ran, call, drop, small_home

BY_HAND = """
name = "small"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
"""


def said(*arguments):
    with redirect_stdout(io.StringIO()) as out:
        code = run([*map(str, arguments), "--json"])
    return code, json.loads(out.getvalue().splitlines()[-1])


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> tuple[Home, list[str]]:
    """A home with three versions of a set, the last one current."""
    home = small_home(tmp_path_factory.mktemp("life") / "home", BY_HAND)
    for day in range(3):
        if day:
            drop(home, f"logs/more{day}.jsonl", *[call(100 * day + n) for n in range(3)])
        assert Ran(home).success
    found = [r["version"] for r in said("releases", "answers", "--home", home.path)[1]["releases"]]
    assert len(found) == 3
    return home, found


def scored(home: Home, version: str, value: float, *more: object, run_name: str = "run-1") -> int:
    score = ("--run", run_name, "--score", f"accuracy={value}", "--n", 1000)
    return said("results", "add", "answers", version, *score, *more, "--home", home.path)[0]


@pytest.mark.slow
def test_row_111_a_version_worse_beyond_noise_is_not_promoted_without_a_reason(versions):
    home, (_, two, three) = versions
    at = ("--home", home.path)
    assert said("promote", "answers", two, *at)[0] == 0
    assert scored(home, two, 0.80) == 0
    code, answer = said("promote", "answers", three, *at)
    assert (code, "no score to hold against" in answer["error"]) == (1, True)
    assert scored(home, three, 0.70) == 0
    code, answer = said("promote", "answers", three, *at)
    assert code == 1
    assert "accuracy is 0.7, and 0.8" in answer["error"]
    assert (home.exports / "answers" / "current").readlink() == Path(two)
    code, answer = said("promote", "answers", three, "--because", "it no longer leaks system prompts", *at)
    assert (code, answer["because"], answer["was"]) == (0, "it no longer leaks system prompts", two)
    assert (home.exports / "answers" / "current").readlink() == Path(three)


@pytest.mark.slow
def test_a_difference_within_noise_is_none(versions):
    home, (one, two, _) = versions
    assert said("promote", "answers", two, "--because", "a start", "--home", home.path)[0] == 0
    assert scored(home, one, 0.79) == 0  # of 1,000: within 1.96 standard errors of 0.80
    code, answer = said("promote", "answers", one, "--home", home.path)
    assert (code, answer["scores"][0]["verdict"], answer["because"]) == (0, "noise", None)


@pytest.mark.slow
def test_row_121_teacher_and_student_stand_side_by_side_in_the_card(versions):
    home, (_, two, _) = versions
    assert scored(home, two, 0.80) == 0
    assert scored(home, two, 0.86, "--teacher", "--model", "big", run_name="teacher") == 0
    card = (home.exports / "answers" / two / "README.md").read_text()
    assert "| accuracy | 0.8 ± 0.013 | 0.86 ± 0.011 |" in card
    assert scored(home, two, 0.81) == 0  # the same run again replaces what it said
    card = (home.exports / "answers" / two / "README.md").read_text()
    assert card.count("## Results") == 1
    assert "| accuracy | 0.81 ± 0.012 | 0.86 ± 0.011 |" in card
    code, answer = said("verify", "--home", home.path)
    assert (code, answer["success"]) == (0, True)


@pytest.mark.slow
def test_a_build_does_not_bring_back_what_was_rolled_back_from(versions):
    home, (_, two, three) = versions
    at = ("--home", home.path)
    for version in (two, three):
        assert said("promote", "answers", version, "--because", "a start", *at)[0] == 0
    code, answer = said("rollback", "answers", "--because", "it rambles", *at)
    assert (code, answer["version"], answer["was"]) == (0, two, three)
    ran = Ran(home)  # its candidate is version three
    assert ran.success
    assert (home.exports / "answers" / "current").readlink() == Path(two)
    listed = {r["version"]: r for r in said("releases", "answers", *at)[1]["releases"]}
    assert listed[three]["held"] == "it rambles"
    assert listed[two]["current"]
    assert said("promote", "answers", three, "--because", "mended its prompt", *at)[0] == 0
    assert not {r["version"] for r in said("releases", *at)[1]["releases"] if r["held"]}


@pytest.mark.slow
def test_a_damaged_version_is_not_promoted_whatever_the_reason(versions):
    home, (one, _, _) = versions
    file = home.exports / "answers" / one / "train.jsonl"
    kept = file.read_bytes()
    file.write_bytes(kept.replace(b"Answer", b"answer", 1))
    code, answer = said("promote", "answers", one, "--because", "please", "--home", home.path)
    assert (code, "train.jsonl" in answer["error"]) == (1, True)
    code, answer = said("verify", "--home", home.path)
    assert code == 1
    assert any(str(file) in d for p in answer["parts"] for d in p["damaged"])
    file.write_bytes(kept)


@pytest.mark.slow
def test_by_hand_only_the_first_release_is_current_by_itself(versions):
    home, (_, _, three) = versions
    at = ("--home", home.path)
    assert said("promote", "answers", three, "--because", "a start", *at)[0] == 0
    home.recipe_file.write_text(BY_HAND + 'promote = "by_hand"\n')
    drop(home, "logs/last.jsonl", *[call(900 + n) for n in range(3)])
    assert Ran(home).success
    listed = [(r["version"], r["current"]) for r in said("releases", "answers", *at)[1]["releases"]]
    assert len(listed) == 4
    assert (three, True) in listed
    newest = next(v for v, _ in listed if v not in versions[1])
    assert said("promote", "answers", newest, "--because", "not scored yet", *at)[0] == 0
    home.recipe_file.write_text(BY_HAND)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("current", "--run", "r", "--score", "bleu=31.2"), "needs its standard error"),
        (("current", "--run", "r", "--score", "bleu=much", "--n", "5"), "valid number"),
        (("ffffffffffff", "--run", "r", "--score", "a=1", "--n", "5"), "there is no such version"),
        (("current", "--score", "a=1"), "name the --run"),
    ],
)
@pytest.mark.slow
def test_a_result_that_cannot_be_taken_says_why(versions, arguments, wrong):
    code, answer = said("results", "add", "answers", *arguments, "--home", versions[0].path)
    assert code in (1, 2)
    assert wrong in answer["error"]
