"""A whole run told as OpenLineage events: what the file holds, what an endpoint gets, and what a run that fails says."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import launch
from assets.definitions import definitions
from flywheel.audit.emission import FILE, untold
from flywheel.errors import FlywheelError
from flywheel.home import Home, chosen_home
from tests.audit.test_emission import serving
from tests.audit.test_openlineage import complaints
from tests.homes import RECIPE, small_home


def told(home: Home) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home.path / FILE).read_text(encoding="utf-8").splitlines()]


def with_endpoint(endpoint: str) -> str:
    return RECIPE.replace("[[tuned]]", f'[openlineage]\nendpoint = "{endpoint}"\n[[tuned]]', 1)


def test_row_117_a_build_is_told_as_openlineage_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as endpoint:
        home = small_home(tmp_path / "home", with_endpoint(endpoint.sink.endpoint))
        built = launch.build(home)
    assert built["success"]
    events = told(home)
    assert [body for _, _, body in endpoint.came] == events
    assert [c for e in events for c in complaints(e)] == []
    runs = Counter((e["run"]["runId"], e["eventType"] == "START") for e in events)
    assert set(runs.values()) == {1}
    assert len(runs) == 2 * len({run for run, _ in runs})
    assert {e["run"]["facets"].get("parent", {"run": {"runId": built["run_id"]}})["run"]["runId"] for e in events} == {
        built["run_id"]
    }
    made = {d["name"]: (e, d) for e in events for d in e["outputs"]}
    for name in home.store.names():
        event, data = made[name]
        head = home.store.head(name)
        assert data["facets"]["version"]["datasetVersion"] == head.version
        read = {(i["name"], i["facets"]["version"]["datasetVersion"]) for i in event["inputs"]}
        assert {(r.name, r.version) for r in head.derivation.inputs if not r.name.startswith("raw:")} <= read
    assert made["curated"][1]["outputFacets"]["outputStatistics"]["rowCount"] == home.store.head("curated").count()
    assert {c["name"] for c in made["curated"][1]["facets"]["schema"]["fields"]} == {
        *home.store.head("curated").schemas["rows"]
    }
    release = made["answers_release"]
    assert release[1]["facets"]["version"]["datasetVersion"] == home.store.head("answers").version[:12]
    assert [i["name"] for i in release[0]["inputs"]] == ["answers"]
    followed = release[1]["facets"]["columnLineage"]
    behind = {f: {i["field"] for i in told["inputFields"]} for f, told in followed["fields"].items()}
    assert behind["messages"] >= {"prompt", "completion"}
    named = [i for told in followed["fields"].values() for i in told["inputFields"]] + followed["dataset"]
    assert {i["name"] for i in named} == {"answers"}
    columns = {c["name"] for c in made["answers"][1]["facets"]["schema"]["fields"]}
    assert {i["field"] for i in named} <= columns
    written = home.exports / "answers" / "current" / "train.jsonl"
    assert {*json.loads(written.read_text(encoding="utf-8").splitlines()[0])} <= behind.keys()
    judged = {
        (i["name"], a["assertion"], a["success"])
        for e in events
        for i in e["inputs"]
        for a in i.get("inputFacets", {}).get("dataQualityAssertions", {"assertions": []})["assertions"]
    }
    assert judged == {(c["asset"], c["name"], c["passed"]) for c in built["checks"]}
    whole = (home.path / FILE).read_text(encoding="utf-8")
    assert not [word for word in ("first.jsonl", "req_1", "Please explain", 'u1"') if word in whole]

    # the same home again, of which the endpoint is gone and a stage is broken
    said: list[str] = []
    monkeypatch.setattr("assets.label.label", broken)
    failed = launch.build(home, said.append)
    assert not failed["success"]
    assert any("lineage events were not sent to" in line for line in said)
    again = told(home)[len(events) :]
    assert [c for e in again for c in complaints(e)] == []
    ends = {e["job"]["name"]: e for e in again if e["eventType"] != "START"}
    assert (ends["build"]["eventType"], ends["build.labels"]["eventType"]) == ("FAIL", "FAIL")
    assert ends["build.conversations"]["eventType"] == "COMPLETE"
    assert "private words" not in json.dumps(again)
    assert ends["build"]["run"]["runId"] == failed["run_id"]


def test_a_run_of_dagster_itself_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the UI and the daemon run it, and with its outputs asked for, which sets the resources up a second time."""
    home = small_home(tmp_path / "home")
    monkeypatch.setenv("FLYWHEEL_HOME", str(home.path))
    runnable = dg.reconstructable(job_of_the_home)
    with launch.instance_of(home) as instance:
        done = dg.execute_job(runnable, instance, asset_selection=[dg.AssetKey("raw_files")])
        with done:
            assert done.success
    ended = [e["job"]["name"] for e in told(home) if e["eventType"] == "COMPLETE"]
    assert ended == ["build.raw_files", "build.raw_files_checks", "build"]


ROOT = Path(__file__).parents[2]
CHILD = """
import os, signal, sys
import {module} as place
whole = place.{name}
def now(*args, **kwargs):
    whole(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
place.{name} = now
from flywheel.__main__ import run
sys.exit(run(["build", "--home", sys.argv[1]]))
"""


def killed(home: Home, module: str, name: str) -> None:
    """A build that is killed after it has called this for the first time."""
    code = CHILD.format(module=module, name=name)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    where = {"cwd": ROOT, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    assert subprocess.run([sys.executable, "-c", code, str(home.path)], **quiet, **where).returncode == -signal.SIGKILL


@pytest.mark.fault
def test_a_killed_run_is_told_of_once_by_the_next(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home", calls=6)
    path = home.path / FILE
    killed(home, "assets.label", "label")
    lost = untold(home)
    assert lost
    assert not path.exists()

    killed(home, "flywheel.audit.emission", "sync")  # it has told of the first, and can say no more of itself
    whole = path.read_bytes()
    steps = {e["job"]["name"]: e["eventType"] for e in told(home) if e["eventType"] != "START"}
    assert steps["build.conversations"] == "COMPLETE"
    assert steps["build.labels"] == steps["build"] == "ABORT"
    assert [c for e in told(home) for c in complaints(e)] == []
    assert untold(home) is None

    path.write_bytes(whole[:-9])  # or is killed in the middle of telling
    assert untold(home) == lost
    with serving() as endpoint:
        home.recipe_file.write_text(with_endpoint(endpoint.sink.endpoint))
        built = launch.build(home)
    assert path.read_bytes().startswith(whole)
    assert [body for _, _, body in endpoint.came] == told(home)
    ends = [(e["run"]["runId"], e["eventType"]) for e in told(home) if "parent" not in e["run"]["facets"]]
    assert ends == [(lost, "START"), (lost, "ABORT"), (built["run_id"], "START"), (built["run_id"], "COMPLETE")]
    assert untold(home) is None
    launch.check(home)
    assert sum(e["eventType"] == "ABORT" for e in told(home)) == whole.count(b'"ABORT"')


@pytest.mark.fault
def test_a_run_killed_before_its_first_step_is_told_of(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home", calls=6)
    killed(home, "assets.events", "begin")
    lost = untold(home)
    launch.check(home)
    assert [(e["run"]["runId"], e["eventType"]) for e in told(home)][:2] == [(lost, "START"), (lost, "ABORT")]


@pytest.mark.fault
def test_a_run_told_of_before_it_was_killed_is_not_told_of_again(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home", calls=6)
    killed(home, "assets.events", "keep")
    whole = (home.path / FILE).read_bytes()
    launch.check(home)
    assert (home.path / FILE).read_bytes().startswith(whole)
    assert not [e for e in told(home) if e["eventType"] == "ABORT"]


def job_of_the_home() -> dg.JobDefinition:
    return definitions(chosen_home(), wait=5.0).resolve_job_def("build")


def broken(*_: object) -> None:
    raise FlywheelError("private words of a log")
