"""A trial: a deterministic sample, an area of its own, a verdict, and the full build it is demanded for."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from assets import launch
from flywheel.__main__ import run
from flywheel.errors import Untried
from flywheel.home import Home
from flywheel.logs.inbox import take
from flywheel.quality.looked_at import LOOKED
from flywheel.quality.targets import NOT_IN_A_TRIAL, TARGETS, set_targets, wanted
from flywheel.recipe import parse_recipe
from flywheel.tuning.trial import OF_SIZE, on_trial, prepare, refuse_untried, sample, verdict_of
from tests.homes import RECIPE, Ran, call, drop, small_home, thumb

DEMAND = RECIPE.replace('name = "small"', 'name = "small"\n[build]\ntrial = 12')


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))


def everything(home: Home) -> dict[str, bytes]:
    """Every file of a home but those of trials, its locks and Dagster's own."""
    own = ("snapshots", "exports", "catalog.duckdb", "recipe.toml", "pseudonym.key")
    return {
        str(p): p.read_bytes()
        for name in own
        for p in [home.path / name, *(home.path / name).rglob("*")]
        if p.is_file()
    }


# --- the sample


def sampled(home: Home, size: int, seed: int = 0) -> set[str]:
    """The texts of the sampled lines."""
    files = {f.digest: f.path for f in home.raw.files()}
    chosen = sample(home, size, seed)
    return {
        files[f].read_bytes().splitlines()[n - 1].decode() for f, n in chosen.lines.select("file", "line").iter_rows()
    }


def test_a_sample_is_whole_conversations_with_their_feedback(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE)
    turns = [call(n, session_id=f"s{n // 3}") for n in range(30)]
    drop(home, "logs/a.jsonl", *turns)
    drop(home, "feedback/a.jsonl", *[thumb(n, up=True) for n in range(0, 30, 2)], thumb(99, up=True))
    take(home)
    chosen = sample(home, 4, 0)
    assert (chosen.conversations, chosen.of) == (4, 10)
    lines = [json.loads(x) for x in sampled(home, 4)]
    sessions = {x["session_id"] for x in lines if "request" in x}
    asked = {x["id"] for x in lines if "request" in x}
    assert len(sessions) == 4
    assert len(asked) == 12
    assert {x["request_id"] for x in lines if "type" in x} == {i for i in asked if int(i[4:]) % 2 == 0}


def test_a_sample_is_the_same_however_the_lines_are_ordered_and_split(tmp_path: Path) -> None:
    one, two = (Home.create(tmp_path / name, recipe=RECIPE) for name in ("one", "two"))
    calls = [call(n) for n in range(40)]
    drop(one, "logs/all.jsonl", *calls)
    drop(two, "logs/b.jsonl", *reversed(calls[:25]))
    drop(two, "logs/a.jsonl", *calls[25:])
    for home in (one, two):
        take(home)
    assert sampled(one, 10) == sampled(two, 10)
    assert sampled(one, 10) < sampled(one, 20)
    assert sampled(one, 10) != sampled(one, 10, seed=1)


def test_a_sample_holds_unreadable_lines_in_proportion(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE)
    good, bad = [json.dumps(call(n)) for n in range(400)], [f"not json {n}" for n in range(100)]
    (home.inbox / "logs" / "a.jsonl").write_text("\n".join(good + bad) + "\n")
    home.raw.keep(home.inbox / "logs" / "a.jsonl")
    lines = sampled(home, 100)
    assert sum(x.startswith("{") for x in lines) == 100
    assert sum(x.startswith("not") for x in lines) == pytest.approx(25, abs=12)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_the_area_holds_the_lines_whatever_the_file_was(tmp_path: Path, name: str) -> None:
    import gzip

    home = Home.create(tmp_path / "home", recipe=RECIPE)
    (home.path / "benchmarks").mkdir()
    for benchmark in ("quiz", "riddle"):
        (home.path / "benchmarks" / f"{benchmark}.jsonl").write_text('{"question": "what is it"}\n')
    text = "".join(json.dumps(call(n)) + "\n" for n in range(20)).encode()
    source = tmp_path / name
    if name.endswith(".parquet"):
        pl.DataFrame([call(n) for n in range(20)]).write_parquet(source)
    else:
        source.write_bytes(gzip.compress(text) if name.endswith(".gz") else b"\xef\xbb\xbf" + text)
    home.raw.keep(source)
    area = prepare(home, 5)
    (kept,) = area.raw.files()
    lines = [json.loads(x) for x in kept.path.read_text().splitlines()]
    assert len({x["id"] for x in lines}) == len(lines) == 5
    assert area.secret == home.secret
    assert area.key_file.is_symlink()


# --- the recipe on trial


def test_checks_of_size_are_not_judged_and_never_pass_silently() -> None:
    looks = 'name = "answers"\nlooked_at = { least = 1, share = 0.1, agreement = 0.8 }\n'
    asked = RECIPE.replace('name = "answers"\n', looks) + '[set.check.every_cell_is_covered]\nseverity = "off"\n'
    tried = on_trial(parse_recipe(asked), 12)
    first, second = tried.sets
    off = {t.name for t in set_targets(first) if t.off_because == NOT_IN_A_TRIAL}
    assert off == set(OF_SIZE["set"])
    assert all(t.severity == "off" for t in set_targets(first) if t.name in off)
    assert {t.name: t.off_because for t in set_targets(second)}["every_cell_is_covered"] == "declared off in the recipe"
    assert first.examples == 12
    labels = {t.name: t.severity for t in wanted("labels", tried.check["labels"])}
    assert (labels["feedback_is_fresh"], labels["every_event_has_a_status"]) == ("off", "error")


def test_every_check_of_size_is_a_check() -> None:
    """And every check that asks for a number of rows is one of size."""
    tried = {a: ts for a, ts in TARGETS.items() if a != "curriculum"}  # a trial makes no curriculum
    asks = {(a, t.name) for a, ts in tried.items() for t in ts if t.unit == "count" and (t.min or t.max)}
    assert asks <= {(asset, name) for asset, names in OF_SIZE.items() for name in names}
    assert all(name in {t.name for t in TARGETS[asset]} for asset, names in OF_SIZE.items() for name in names)


# --- the whole of it


@pytest.mark.slow
def test_row_124_a_trial_runs_everything_and_touches_nothing(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home", calls=48)
    assert Ran(home).success
    before = everything(home)
    made = launch.trial(home, 12)
    assert everything(home) == before
    assert made["success"]
    assert made["trial"]["conversations"] == 12
    assert made["trial"]["of"] == 48
    assert (home.path / "trial" / "exports" / "answers" / "current" / "train.jsonl").exists()
    assert next(s for s in made["stages"] if s["name"] == "conversations")["rows_out"] == 12
    summaries = {c["name"]: c["summary"] for c in made["checks"] if c["asset"] == "answers"}
    assert set(made["trial"]["not_judged"]) == {
        f"{a} · {name}"
        for asset, names in OF_SIZE.items()
        if asset != "conflicts"  # nothing asks for them here, nor for looks
        for a in (("answers", "verdicts") if asset == "set" else (asset,))
        for name in names
        if name not in {t.name for t in LOOKED.values()}
    }
    assert summaries["set_is_large_enough"].startswith(
        "Not judged in a trial, for it depends on how many rows there are"
    )
    verdict = (home.path / "trial.json").read_bytes()
    launch.trial(home, 12)
    assert (home.path / "trial.json").read_bytes() == verdict
    shutil.rmtree(home.path / "trial")
    assert Ran(home).success


@pytest.mark.slow
def test_row_124_a_bug_fails_the_trial_and_the_full_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flywheel.filters.too_short import TooShort

    home = small_home(tmp_path / "home", recipe=DEMAND + '[[filter]]\nuse = "too_short"\n')
    with pytest.raises(Untried, match="and none was made"):
        launch.build(home)

    def broken(self: TooShort) -> pl.Expr:
        return pl.col("no_such_column") > 1

    with monkeypatch.context() as patched:
        patched.setattr(TooShort, "reject", broken)
        failed = launch.trial(home, 12)
        assert not failed["success"]
        assert any("no_such_column" in f for f in failed["trial"]["faults"])
    with pytest.raises(Untried, match="and it failed: screened: "):
        launch.build(home)
    ran = Ran(home)  # as a job of the UI
    assert not ran.success
    assert ran.made == set()
    assert launch.trial(home, 12)["success"]
    assert launch.build(home)["success"]


@pytest.mark.slow
def test_a_set_of_which_nothing_was_made_is_not_tried(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home", recipe=RECIPE.replace('use = "kto"', 'use = "preference"'))
    told = launch.trial(home, 12)["trial"]
    assert not told["passed"]
    assert told["faults"] == [
        "the sample made no example of the set verdicts, so nothing of it was tried. Try more conversations than 12."
    ]


@pytest.mark.slow
def test_the_job_of_the_ui_tries_the_recipe(tmp_path: Path) -> None:
    import dagster as dg

    from assets.definitions import definitions

    home = small_home(tmp_path / "home", recipe=DEMAND)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(home.path).resolve_job_def("trial")
        assert job.execute_in_process(instance=instance, raise_on_error=False).success
    refuse_untried(home, home.recipe())
    assert verdict_of(home)["conversations"] == 12
    assert Ran(home).success


def test_another_recipe_or_a_smaller_trial_does_not_count(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=DEMAND)
    recipe = parse_recipe(DEMAND)
    told = {"recipe": recipe.digest, "engine": "1", "passed": True, "faults": [], "size": 12}
    from flywheel.lineage import ENGINE

    for changed, said in (
        ({}, None),
        ({"recipe": "0" * 32}, "another recipe"),
        ({"engine": "0"}, "another recipe or engine"),
        ({"size": 11}, "the last trial was of 11"),
        ({"passed": False, "faults": ["x: no."]}, "it failed: x: no. Mend that."),
    ):
        (home.path / "trial.json").write_text(json.dumps(told | {"engine": ENGINE} | changed))
        if said is None:
            refuse_untried(home, recipe)
        else:
            with pytest.raises(Untried, match=said):
                refuse_untried(home, recipe)
    (home.path / "trial.json").write_text("{")
    assert verdict_of(home) is None


def test_where_no_line_can_be_read_the_trial_holds_such_lines(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE)
    (tmp_path / "a.jsonl").write_text("".join(f"not json {n}\n" for n in range(40)))
    home.raw.keep(tmp_path / "a.jsonl")
    assert len(sampled(home, 7)) == 7


def test_nothing_to_try_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home.create(tmp_path / "home")
    assert run(["build", "--trial", "10", "--home", str(home.path)]) == 1
    assert "no log file has come" in capsys.readouterr().err
