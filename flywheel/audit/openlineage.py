"""OpenLineage run events (spec 2-0-2) of a run: what each step read, made and judged, as versions and counts.

A run and each of its steps have a START event and one that ends it. A step's run id is the UUIDv5 of the Dagster run and the
step, so that telling a run again tells the same run. No event holds text, ids of rows, names of files or sentences of checks
and errors: an event is no copy of what a person may want forgotten. The standard has no lineage of rows (that is `why` and
`trace`). Columns are followed from a set to the fields of its files, see `fields`; no derivation says which column came of which
before that.
"""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import polars as pl
from pydantic import BaseModel, Field

from flywheel.lineage import ENGINE, Derivation

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = f"urn:flywheel:engine:{ENGINE}"
FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "dataSource": "1-0-1/DatasourceDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "parent": "1-2-0/ParentRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
}
"""Facet -> the schema it follows."""
OWN = "urn:flywheel:facet:1:flywheel_derivation"
"""What the facet of our own follows: `operation`, `key`, `engine`, and `steps` with `use`, `version`."""

Fact = dict[str, Any]
Ending = Literal["COMPLETE", "FAIL", "ABORT"]


class OpenLineage(BaseModel, frozen=True, extra="forbid"):
    """Where a build sends its run events, beside the file in the home; without it, nowhere."""

    endpoint: str = Field(pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$")
    """Address that takes an event as the body of a POST, such as http://127.0.0.1:5000/api/v1/lineage."""
    key: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the endpoint's key; never the key itself."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one dataset that are behind the fields of another."""

    of: str
    """The dataset that has them."""
    fields: dict[str, set[str]] = field(default_factory=dict)
    """Field -> columns whose values are in it, as they are or in another form."""
    conditions: set[str] = field(default_factory=set)
    """Columns that decide how all of it is written."""


@dataclass(frozen=True, slots=True)
class Data:
    """A dataset as an event tells it."""

    name: str
    version: str | None = None
    uri: str | None = None
    columns: pl.Schema | None = None
    """Of its main table."""
    rows: int | None = None
    derivation: Derivation | None = None
    behind: Columns | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What one check found of a dataset."""

    name: str
    passed: bool
    severity: str


@dataclass(frozen=True, slots=True)
class Ran:
    """One step of a run: when, how it ended, what it read and made, and what its checks found of what it read."""

    name: str
    began: float
    """Seconds since 1970."""
    ended: float
    ending: Ending
    read: Sequence[Data] = ()
    made: Sequence[Data] = ()
    judged: Mapping[str, Sequence[Judged]] = field(default_factory=dict)
    """Dataset -> findings."""


def step_run_id(run_id: str, step: str) -> str:
    """The run id of a step: UUIDv5 of the Dagster run, which is a UUID, and the step's name."""
    return str(uuid.uuid5(uuid.UUID(run_id), step))


def events(namespace: str, run_id: str, job: str, steps: Sequence[Ran], killed: float | None = None) -> list[Fact]:
    """The events of a run and its steps, in the order they happened; none where no step is told of.

    `killed`: when a run began that could not end; it is an ABORT, whatever became of its steps, and told of without any.
    """
    times = [t for s in steps for t in (s.began, s.ended)] + ([] if killed is None else [killed])
    if not times:
        return []
    endings: set[Ending] = {step.ending for step in steps}
    ending: Ending = next((e for e in ("FAIL", "ABORT") if e in endings), "COMPLETE")
    whole = Ran(job, min(times), max(times), ending if killed is None else "ABORT")
    parent = _facet("parent", run={"runId": run_id}, job={"namespace": namespace, "name": job})
    inner = [e for step in steps for e in _pair(namespace, step_run_id(run_id, step.name), step, "TASK", parent, job)]
    first, last = _pair(namespace, run_id, whole, "JOB", None, "")
    return [first, *sorted(inner, key=lambda e: str(e["eventTime"])), last]  # a stable sort: START stays before its end


def ended_run(line: bytes) -> str | None:
    """The id of the run whose last event this line is; None where it is a START, of a step, or no event."""
    try:
        event = json.loads(line)
        over = event["eventType"] in get_args(Ending) and "parent" not in event["run"].get("facets", {})
        return str(event["run"]["runId"]) if over else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _pair(namespace: str, run_id: str, step: Ran, kind: str, parent: Fact | None, job: str) -> list[Fact]:
    """START and the end of one run."""
    facets: Fact = {"parent": parent} if parent else {}
    name = f"{job}.{step.name}" if job else step.name
    of_type = _facet("jobType", processingType="BATCH", integration="FLYWHEEL", jobType=kind)
    who = {"namespace": namespace, "name": name, "facets": {"jobType": of_type}}
    ended = dict(facets)
    if causes := [d.derivation for d in step.made if d.derivation]:
        ended["flywheel_derivation"] = _cause(causes[0])
    if step.ending == "FAIL":
        message = f"{step.name} failed; the run {run_id if not parent else parent['run']['runId']} in Dagster says why."
        ended["errorMessage"] = _facet("errorMessage", message=message, programmingLanguage="PYTHON")
    inputs = [_input(namespace, data, step.judged.get(data.name, ())) for data in step.read]
    outputs = [_output(namespace, data) for data in step.made]
    return [
        _event("START", step.began, {"runId": run_id, "facets": facets}, who, [], []),
        _event(step.ending, step.ended, {"runId": run_id, "facets": ended}, who, inputs, outputs),
    ]


def _event(kind: str, at: float, run: Fact, job: Fact, inputs: list[Fact], outputs: list[Fact]) -> Fact:
    when = dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="microseconds")
    told = {"eventType": kind, "eventTime": when, "producer": PRODUCER, "schemaURL": SPEC}
    return {**told, "run": run, "job": job, "inputs": inputs, "outputs": outputs}


def _facet(name: str, /, **said: Any) -> Fact:
    version, _, title = FACETS[name].partition("/")
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"https://openlineage.io/spec/facets/{version}/{title}.json#/$defs/{title}",
        **said,
    }


def _cause(derivation: Derivation) -> Fact:
    """How an output came about; of parameters only what the key hashes: they may quote the recipe's words."""
    steps = [{"use": s.use, "version": s.version} for s in derivation.steps]
    said = {"operation": derivation.operation, "key": derivation.key, "engine": derivation.engine, "steps": steps}
    return {"_producer": PRODUCER, "_schemaURL": OWN, **said}


def _dataset(namespace: str, data: Data) -> Fact:
    facets = {}
    if data.version is not None:
        facets["version"] = _facet("version", datasetVersion=data.version)
    if data.uri is not None:
        facets["dataSource"] = _facet("dataSource", name=namespace, uri=data.uri)
    if data.columns is not None:
        facets["schema"] = _facet("schema", fields=[_column(c, t) for c, t in data.columns.items()])
    return {"namespace": namespace, "name": data.name, "facets": facets}


def _input(namespace: str, data: Data, judged: Sequence[Judged]) -> Fact:
    told = _dataset(namespace, data)
    if judged:
        found = [{"assertion": j.name, "success": j.passed, "severity": j.severity} for j in judged]
        told["inputFacets"] = {"dataQualityAssertions": _facet("dataQualityAssertions", assertions=found)}
    return told


def _output(namespace: str, data: Data) -> Fact:
    told = _dataset(namespace, data)
    if data.behind is not None:
        told["facets"]["columnLineage"] = _followed(namespace, data.behind)
    if data.rows is not None:
        told["outputFacets"] = {"outputStatistics": _facet("outputStatistics", rowCount=data.rows)}
    return told


def _followed(namespace: str, behind: Columns) -> Fact:
    """The facet of columns: of each field those it is made of, and of the whole those that only decide its form."""

    def told(columns: Iterable[str], kind: str, subtype: str) -> list[Fact]:
        how = [{"type": kind, "subtype": subtype}]
        return [
            {"namespace": namespace, "name": behind.of, "field": c, "transformations": how} for c in sorted(columns)
        ]

    fields = {f: {"inputFields": told(c, "DIRECT", "TRANSFORMATION")} for f, c in sorted(behind.fields.items())}
    return _facet("columnLineage", fields=fields, dataset=told(behind.conditions, "INDIRECT", "CONDITIONAL"))


def _column(name: str, dtype: pl.DataType) -> Fact:
    """A field of the schema facet; of a list its `_element`, of a structure its fields."""
    if isinstance(dtype, pl.List):
        return {"name": name, "type": "array", "fields": [_column("_element", _plain(dtype.inner))]}
    if isinstance(dtype, pl.Struct):
        return {"name": name, "type": "struct", "fields": [_column(f.name, _plain(f.dtype)) for f in dtype.fields]}
    return {"name": name, "type": str(dtype).lower()}


def _plain(dtype: Any) -> pl.DataType:
    plain: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return plain
