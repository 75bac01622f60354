"""A whole run told as OpenLineage events: what the file holds, what an endpoint gets, and what a run that fails says."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import launch
from assets.definitions import definitions
from flywheel.audit.emission import FILE
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


def job_of_the_home() -> dg.JobDefinition:
    return definitions(chosen_home(), wait=5.0).resolve_job_def("build")


def broken(*_: object) -> None:
    raise FlywheelError("private words of a log")
