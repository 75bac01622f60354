"""Run events: what the spec requires of each, and what must not be in them. `complaints` also judges those of real builds."""

import datetime as dt
import json
import re
import uuid
from typing import Any

import polars as pl
import pytest

from flywheel.audit.openlineage import FACETS, Columns, Data, Judged, OpenLineage, Ran, ended_run, events, step_run_id
from flywheel.errors import RecipeInvalid
from flywheel.lineage import Derivation, SnapshotRef, Step
from flywheel.recipe import parse_recipe

RUN = "0b0c4b1e-1f5e-4a58-9a59-6d3a4d0b8a10"
ENDS = {"COMPLETE", "FAIL", "ABORT"}
REQUIRED = {
    "schema": {},
    "version": {"datasetVersion": str},
    "dataSource": {},
    "columnLineage": {"fields": dict},
    "outputStatistics": {},
    "dataQualityAssertions": {"assertions": list},
    "parent": {"run": dict, "job": dict},
    "errorMessage": {"message": str, "programmingLanguage": str},
    "jobType": {"processingType": str, "integration": str},
    "flywheel_derivation": {"operation": str, "key": str, "engine": str, "steps": list},
}
"""Facet -> the fields its schema requires, and their types; every facet we write is here."""
PLACE = {"outputStatistics": "outputFacets", "dataQualityAssertions": "inputFacets"}
"""Facets that stand in a place of their own; the others of datasets are in `facets`."""


def complaints(event: dict[str, Any]) -> list[str]:
    """What the spec (2-0-2) would not take of a run event."""
    bad = [k for k in ("eventTime", "producer", "schemaURL", "run", "job") if k not in event]
    if bad:
        return [f"lacks {k}" for k in bad]
    if event["eventType"] not in {"START", "RUNNING", "OTHER", *ENDS}:
        bad.append(f"eventType {event['eventType']}")
    if dt.datetime.fromisoformat(event["eventTime"]).tzinfo is None:
        bad.append("eventTime has no offset")
    if not re.fullmatch(r"https://openlineage\.io/spec/2-0-2/OpenLineage\.json#/\$defs/RunEvent", event["schemaURL"]):
        bad.append("schemaURL")
    if str(uuid.UUID(event["run"]["runId"])) != event["run"]["runId"]:
        bad.append("runId")
    owners = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    bad += [f"{o} has no name" for o in owners[1:] if not (o.get("namespace") and o.get("name"))]
    for owner in owners:
        for place in ("facets", "inputFacets", "outputFacets"):
            for name, facet in owner.get(place, {}).items():
                if PLACE.get(name, "facets") != place:
                    bad.append(f"{name} in {place}")
                if not all(
                    re.match(r"(https://openlineage\.io/|urn:)", facet.get(k, "")) for k in ("_producer", "_schemaURL")
                ):
                    bad.append(f"{name} has no producer or schema")
                bad += [f"{name}.{k}" for k, kind in REQUIRED[name].items() if not isinstance(facet.get(k), kind)]
    bad += [
        f"field {f}" for o in event["outputs"] for f in o["facets"].get("schema", {}).get("fields", []) if not f["name"]
    ]
    return bad


def step(name: str = "curated", **more: Any) -> Ran:
    made = Data(
        "curated", "v2", "file:///h/snapshots/curated", pl.Schema({"id": pl.String, "tags": pl.List(pl.String)}), 7
    )
    said = {"read": [Data("screened", "v1")], "made": [made], "ending": "COMPLETE"} | more
    return Ran(name, 10.0, 11.0, **said)


def test_a_step_has_a_start_and_an_end_under_its_run() -> None:
    told = events("flywheel/x", RUN, "build", [step()])
    assert [(e["eventType"], e["job"]["name"]) for e in told] == [
        ("START", "build"), ("START", "build.curated"), ("COMPLETE", "build.curated"), ("COMPLETE", "build"),
    ]  # fmt: skip
    assert [c for e in told for c in complaints(e)] == []
    inner = told[2]
    assert inner["run"]["facets"]["parent"]["run"]["runId"] == told[0]["run"]["runId"] == RUN
    assert inner["run"]["runId"] == step_run_id(RUN, "curated") == str(uuid.uuid5(uuid.UUID(RUN), "curated"))
    assert [d["facets"]["version"]["datasetVersion"] for d in inner["inputs"] + inner["outputs"]] == ["v1", "v2"]
    assert inner["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 7
    fields = inner["outputs"][0]["facets"]["schema"]["fields"]
    assert fields[1] == {"name": "tags", "type": "array", "fields": [{"name": "_element", "type": "string"}]}
    assert events("flywheel/x", RUN, "build", [step()]) == told
    assert events("flywheel/x", RUN, "build", []) == []


@pytest.mark.parametrize(("endings", "whole"), [(("COMPLETE", "FAIL"), "FAIL"), (("ABORT", "COMPLETE"), "ABORT")])
def test_a_run_ends_as_its_worst_step(endings: tuple[Any, ...], whole: str) -> None:
    told = events("n", RUN, "build", [step(f"s{n}", ending=e) for n, e in enumerate(endings)])
    assert told[-1]["eventType"] == whole
    assert [c for e in told for c in complaints(e)] == []
    assert all(("errorMessage" in e["run"]["facets"]) == (e["eventType"] == "FAIL") for e in told)


def test_a_run_that_was_killed_is_an_abort_whatever_its_steps() -> None:
    told = events("n", RUN, "build", [step("a"), step("b", ending="FAIL")], killed=4.0)
    assert [e["eventType"] for e in told] == ["START", "START", "START", "COMPLETE", "FAIL", "ABORT"]
    assert [e["eventTime"][-15:-6] for e in (told[0], told[-1])] == ["04.000000", "11.000000"]
    assert [(e["eventType"], e["job"]["name"]) for e in events("n", RUN, "check", [], killed=4.0)] == [
        ("START", "check"), ("ABORT", "check"),
    ]  # fmt: skip
    assert [c for e in told for c in complaints(e)] == []


def test_only_the_last_event_ends_a_run() -> None:
    told = [json.dumps(e).encode() for e in events("n", RUN, "build", [step()])]
    assert [ended_run(line) for line in told] == [None, None, None, RUN]
    assert [ended_run(line) for line in (b"", b"{", b"[]", b"null", b'{"eventType": "COMPLETE", "run": []}')] == [
        None
    ] * 5


def test_fields_name_the_columns_behind_them() -> None:
    behind = Columns("answers", {"messages": {"prompt", "completion"}, "version": set()}, {"kind"})
    told = events("n", RUN, "build", [step(made=[Data("answers_release", "v", behind=behind)])])[2]
    assert complaints(told) == []
    facet = told["outputs"][0]["facets"]["columnLineage"]
    assert facet["_schemaURL"].endswith("/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet")
    direct, indirect = (
        [{"type": t, "subtype": s}] for t, s in (("DIRECT", "TRANSFORMATION"), ("INDIRECT", "CONDITIONAL"))
    )
    named = {"namespace": "n", "name": "answers"}
    assert facet["fields"] == {
        "messages": {
            "inputFields": [{**named, "field": c, "transformations": direct} for c in ("completion", "prompt")]
        },
        "version": {"inputFields": []},
    }
    assert facet["dataset"] == [{**named, "field": "kind", "transformations": indirect}]


def test_checks_are_assertions_on_what_was_read() -> None:
    judged = {"screened": [Judged("no_row_vanished", True, "error"), Judged("few", False, "warn")]}
    told = events("n", RUN, "check", [step("screened_checks", made=[], judged=judged)])[2]
    assert complaints(told) == []
    assert told["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"] == [
        {"assertion": "no_row_vanished", "success": True, "severity": "error"},
        {"assertion": "few", "success": False, "severity": "warn"},
    ]


def test_the_recipes_words_stay_here() -> None:
    cause = Derivation(
        operation="screen",
        inputs=(SnapshotRef(name="raw:mary.jsonl", version="ab"),),
        steps=(Step(use="behaviour", version=3, parameters={"pattern": "mary"}),),
    )
    told = events("n", RUN, "build", [step(made=[Data("screened", "v", derivation=cause)])])
    assert told[2]["run"]["facets"]["flywheel_derivation"]["steps"] == [{"use": "behaviour", "version": 3}]
    assert "mary" not in str(told)


def test_the_complaints_can_be_heard() -> None:
    told = events("n", RUN, "build", [step()])[2]
    assert complaints({k: v for k, v in told.items() if k != "producer"}) == ["lacks producer"]
    assert complaints(told | {"outputs": [{"namespace": "n", "name": "x", "facets": {"version": {}}}]}) == [
        "version has no producer or schema",
        "version.datasetVersion",
    ]
    assert set(FACETS) < set(REQUIRED)


def test_the_endpoint_is_no_part_of_what_the_data_is() -> None:
    plain = parse_recipe('name = "x"')
    sent = parse_recipe(
        'name = "x"\n[openlineage]\nendpoint = "http://127.0.0.1:5000/api/v1/lineage"\nkey = "LINEAGE_KEY"'
    )
    assert sent.openlineage == OpenLineage(endpoint="http://127.0.0.1:5000/api/v1/lineage", key="LINEAGE_KEY")
    assert plain.openlineage is None
    assert sent.digest == plain.digest


@pytest.mark.parametrize(
    "endpoint", ["file:///etc/passwd", "ftp://x/y", "http://user:secret@x/y", "http://x/a b", "127.0.0.1:5000"]
)
def test_an_endpoint_is_an_http_address_without_a_login(endpoint: str) -> None:
    with pytest.raises(RecipeInvalid):
        parse_recipe(f'name = "x"\n[openlineage]\nendpoint = "{endpoint}"')
