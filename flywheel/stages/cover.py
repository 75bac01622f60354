"""Coverage of a set: its matrix, and the acquisition plan that would close the gaps. Nothing is left out of the set for it."""

from functools import partial

from flywheel.coverage.acquisition import ACQUISITION, acquisition
from flywheel.coverage.axes import KEY, in_logs, known, of_examples
from flywheel.coverage.matrix import MATRIX, matrix
from flywheel.coverage.wanted import SUFFIX
from flywheel.kinds import SetKind
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.storage.snapshots import Snapshot

VERSION = 1
"""Raised when the matrix or the plan come to say something else."""


def cover(
    wanted: SetKind, candidate: Snapshot, curated: Snapshot, conversations: Snapshot, signals: Snapshot, seed: int
) -> Dataset:
    """The dataset "SET_coverage": `rows` (MATRIX) and `plan` (ACQUISITION), in one part "all"."""
    said = wanted.coverage.model_dump(mode="json", exclude={"drift"})
    steps = (Step(use="coverage", version=VERSION, parameters=said), Step(use="seed", parameters={"seed": seed}))
    inputs = (candidate, curated, conversations, signals)
    key = cause("cover", steps, *[s.version for s in inputs])
    return Dataset(
        name=f"{wanted.name}{SUFFIX}",
        schemas={"rows": MATRIX, "plan": ACQUISITION},
        parts=[Part("all", key, partial(_made, wanted, *inputs, seed))],
        derivation=Derivation(operation="cover", inputs=tuple(s.ref for s in inputs), steps=steps),
    )


def _made(
    wanted: SetKind, candidate: Snapshot, curated: Snapshot, conversations: Snapshot, signals: Snapshot, seed: int
) -> Tables:
    asked = wanted.coverage
    values = known(asked, conversations, signals)
    examples = candidate.scan().select(KEY).collect()
    usage = asked.usage
    logs = {a: in_logs(asked, usage, a, conversations, signals) for a in usage.axes} if usage else {}
    found = matrix(asked, of_examples(examples, values, asked.read), logs)
    pool = curated.scan().select("id").collect()["id"]
    used = examples["parents"].explode().drop_nulls().unique()
    return {"rows": found, "plan": acquisition(wanted.name, found, values, used, pool, seed)}
