"""What a run of Dagster did, told as OpenLineage events when it ends: in a terminal, in the UI, by a sensor or by the clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.events import EngineEventData

from flywheel.audit.emission import begin, end, keep, send, untold
from flywheel.audit.fields import of_release
from flywheel.audit.openlineage import Columns, Data, Ending, Judged, Ran, events
from flywheel.exports import formats
from flywheel.home import Home
from flywheel.outcome import checks_of
from flywheel.storage.snapshots import Snapshot
from flywheel.tuning.trial import size_of

KINDS = dg.DagsterEventType
ENDS: dict[dg.DagsterEventType, Ending] = {KINDS.STEP_SUCCESS: "COMPLETE", KINDS.STEP_FAILURE: "FAIL"}
TOLD = {KINDS.STEP_START, KINDS.ASSET_MATERIALIZATION, KINDS.ASSET_CHECK_EVALUATION, *ENDS}
WARNING = "flywheel/warning"
"""What marks an engine event as a warning of ours."""
VERSION, INPUT = "dagster/data_version", "dagster/input_data_version/"


@dataclass
class Telling:
    """The events of one run, and before them those of one that was killed, between being kept and being sent."""

    context: dg.InitResourceContext
    home: Home
    told: list[dict[str, Any]] = field(default_factory=list)
    silent: bool = field(init=False)
    """Whether there is nothing to tell: a trial is a rehearsal, and Dagster sets up resources again for who asks for the
    outputs of a run that has ended."""

    def __post_init__(self) -> None:
        run, instance = self.context.run, self.context.instance
        known = instance.get_run_by_id(run.run_id) if run is not None and instance is not None else None
        self.silent = known is None or known.is_finished or size_of(self.home.path) is not None

    def begin(self) -> None:
        """Tell of the run that held the home before, if it was killed, and note this one."""
        if self.silent or self.context.run is None or self.context.instance is None:
            return
        with self.never_failing():
            before = self.context.instance.get_run_record_by_id(untold(self.home) or "")
            if before is not None:
                began = before.start_time or before.create_timestamp.timestamp()
                self.tell(before.dagster_run, killed=began)
            begin(self.home, self.context.run.run_id)

    def keep(self) -> None:
        """Write down what the run did, while the home is held."""
        if self.silent or self.context.run is None:
            return
        with self.never_failing():
            self.tell(self.context.run)
            end(self.home)

    def tell(self, run: dg.DagsterRun, killed: float | None = None) -> None:
        """Write down what a run did, from Dagster's event log. `killed`: as `events` takes it."""
        steps = ran(self.home, self.context.instance, run.run_id) if self.context.instance is not None else []
        told = events(f"flywheel/{self.home.recipe().name}", run.run_id, run.job_name, steps, killed)
        if told:
            keep(self.home, told)
        self.told += told

    def send(self) -> None:
        """Send it where the recipe says, when the home is free again."""
        if not self.told:
            return
        with self.never_failing():
            sink = self.home.recipe().openlineage
            said = send(sink, self.told) if sink else None
            if said:
                self.warn(said)

    @contextmanager
    def never_failing(self) -> Iterator[None]:
        """A build is not worse for what is told of it: warn, whatever went wrong."""
        try:
            yield
        except Exception as e:
            self.warn(f"the lineage events of this run could not be told ({type(e).__name__}): {e}")

    def warn(self, sentence: str) -> None:
        """Say it in the run's log, which the UI shows and the command line follows."""
        if self.context.instance is not None and self.context.run is not None:
            data = EngineEventData(metadata={WARNING: dg.MetadataValue.bool(True)})
            self.context.instance.report_engine_event(sentence, self.context.run, data)


def warned(event: dg.DagsterEvent) -> bool:
    """Whether an event of Dagster's log is a warning of ours."""
    return event.event_type == KINDS.ENGINE_EVENT and WARNING in event.engine_event_data.metadata


def ran(home: Home, instance: dg.DagsterInstance, run_id: str) -> list[Ran]:
    """Each step of a run that made or judged something, or failed, from Dagster's event log."""
    logged: dict[str, list[Any]] = {}
    for entry in instance.all_logs(run_id, of_type=TOLD):
        if entry.dagster_event is not None and entry.step_key:
            logged.setdefault(entry.step_key, []).append(entry)
    steps = [step_of(home, key, entries) for key, entries in logged.items()]
    return [s for s in steps if s.made or s.judged or s.ending != "COMPLETE"]


def step_of(home: Home, key: str, entries: list[Any]) -> Ran:
    """One step. One that never ended was interrupted."""
    kinds = [(KINDS(e.dagster_event.event_type_value), e) for e in entries]
    ending: Ending = next((ENDS[kind] for kind, _ in reversed(kinds) if kind in ENDS), "ABORT")
    made = [
        e.dagster_event.event_specific_data.materialization for kind, e in kinds if kind == KINDS.ASSET_MATERIALIZATION
    ]
    found = [e.dagster_event.event_specific_data for kind, e in kinds if kind == KINDS.ASSET_CHECK_EVALUATION]
    judged: dict[str, list[Judged]] = {}
    for told in map(checks_of, found):
        judged.setdefault(told["asset"], []).append(Judged(told["name"], told["passed"], told["severity"]))
    outputs = [output(home, m.asset_key.to_user_string(), m.tags or {}) for m in made]
    read = {data.name: data for m, out in zip(made, outputs, strict=True) for data in inputs(m.tags or {}, out)}
    read |= {name: judged_data(home, name) for name in judged}
    times = [e.timestamp for e in entries]
    return Ran(key, times[0], times[-1], ending, list(read.values()), outputs, judged)


def output(home: Home, name: str, tags: dict[str, str]) -> Data:
    """What a step made: a snapshot, with its columns, rows and cause; or files derived from one, with their version and, of a
    release, the columns behind their fields."""
    version = tags.get(VERSION)
    there = home.store.head(name) if version and home.store.head_key(name) else None
    if there is not None and version and there.version != version:  # only then are all manifests read
        there = home.store.find(name, version)
    return of_snapshot(home, there) if there else Data(name, version, behind=behind(home, name, version))


def behind(home: Home, name: str, version: str | None) -> Columns | None:
    """The columns behind the fields of a released set; None of other files, and where its candidate is no more."""
    wanted = next((s for s in home.recipe().sets if f"{s.name}_release" == name), None)
    there = home.store.head(wanted.name) if wanted and home.store.head_key(wanted.name) else None
    if wanted is None or there is None or not version or not there.version.startswith(version):
        return None
    return of_release(there, formats(wanted.export))


def of_snapshot(home: Home, there: Snapshot) -> Data:
    """A snapshot as an event tells it."""
    main = "rows" if "rows" in there.schemas else "files"
    uri = (home.store.root / there.name).as_uri()
    return Data(there.name, there.version, uri, there.schemas[main], there.count(main), there.derivation)


def inputs(tags: dict[str, str], out: Data) -> list[Data]:
    """What it was made of: of a snapshot what its derivation says, of other things what Dagster saw. All raw files are one."""
    if out.derivation is None:
        return [Data(t.removeprefix(INPUT), v) for t, v in sorted(tags.items()) if t.startswith(INPUT)]
    refs = sorted(out.derivation.inputs, key=lambda ref: ref.name)
    raw = [Data("raw", out.derivation.key)] if any(ref.name.startswith("raw:") for ref in refs) else []
    return [*raw, *(Data(ref.name, ref.version) for ref in refs if not ref.name.startswith("raw:"))]


def judged_data(home: Home, name: str) -> Data:
    """What a check looked at: the newest snapshot; of a release, the files."""
    there = home.store.head(name) if home.store.head_key(name) else None
    return Data(name, there.version) if there else Data(name)
