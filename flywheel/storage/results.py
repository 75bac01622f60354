"""Evaluation results of models that were trained on a set: which run used which version, and what it scored.

    HOME/snapshots/SET/results.jsonl    a line for each time a result was told, first to last; the last of a run stands

Two scores of one name differ only where the difference is beyond noise: more than 1.96 standard errors of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from flywheel.errors import ResultInvalid, SnapshotMissing, nearest
from flywheel.home import Home
from flywheel.storage.releases import exported
from flywheel.storage.snapshots import replace_synced

BAND = 1.96
"""Standard errors of a difference within which it is noise: 95%, two-sided."""


class Score(BaseModel):
    """One score of one run."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/@:-]{0,79}$")
    value: float
    n: int | None = Field(default=None, ge=1)
    """Items it was taken over."""
    se: float | None = Field(default=None, ge=0)
    """Its standard error; of a share of `n` items it is that of a binomial where it is not given."""
    better: Literal["higher", "lower"] = "higher"

    @model_validator(mode="after")
    def _noise_is_known(self) -> "Score":
        if self.se is None and (self.n is None or not 0 <= self.value <= 1):
            raise ValueError(f"{self.name} needs its standard error (se), or n where it is a share between 0 and 1")
        return self

    @property
    def error(self) -> float:
        """Its standard error. A share of all or of none of n items has that of one item more that is otherwise."""
        if self.se is not None:
            return self.se
        n = self.n or 1
        share = min(max(self.value, 1 / (n + 2)), 1 - 1 / (n + 2))
        return math.sqrt(share * (1 - share) / n)


class Result(BaseModel):
    """What one run of training came to: the version it used, the model, its scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str = Field(pattern=r"^[0-9a-f]{12}$")
    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/@:-]{0,119}$")
    model: str = Field(default="", max_length=200)
    role: Literal["student", "teacher"] = "student"
    """Whether it was trained on the set, or is the model whose replies the set holds."""
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score of two versions: `verdict` is better, worse or noise."""

    name: str
    old: float
    new: float
    band: float
    """The difference that would be beyond noise."""
    verdict: str


def add(home: Home, set_name: str, told: dict[str, Any]) -> Result:
    """Attach a result to a version of a set. The same run of the same version again replaces what it said before.

    Raises `SnapshotMissing` for a version that was never released or stored, `ResultInvalid` for a result that cannot be.
    """
    version = known_version(home, set_name, str(told.get("version", "")))
    try:
        result = Result.model_validate({**told, "version": version})
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, x['loc'])) or 'result'}: {x['msg']}" for x in e.errors()[:3])
        raise ResultInvalid(
            f"the result cannot be taken: {wrong}. Expected a run, and scores with value and n or se."
        ) from None
    lines = [orjson.dumps(r.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for r in (*_told(home, set_name), result)]
    replace_synced(_file(home, set_name), b"".join(lines))
    return result


def known_version(home: Home, set_name: str, start: str) -> str:
    """The version of a set, released or stored, that begins so; of `current`, `candidate` and `previous` what they stand for."""
    from flywheel.storage.releases import before

    folders = {e.version: e for e in exported(home) if e.set == set_name}
    now = next((v for v, e in folders.items() if e.current), None)
    stored = {m.version[:12] for m in home.store.history(set_name)}
    if not folders and not stored:
        known = sorted({e.set for e in exported(home)} | set(home.store.names()))
        raise SnapshotMissing(f'there is no set "{set_name}".{nearest(set_name, known)} Run: flywheel releases')
    head = home.store.head_key(set_name)
    named = {
        "current": now,
        "previous": before(home, set_name, now) if now else None,
        "candidate": home.store.head(set_name).version[:12] if head else None,
    }
    if start in named:
        found = [v] if (v := named[start]) else []
    else:
        found = sorted(v for v in set(folders) | stored if start and v.startswith(start[:12]))
    if len(found) != 1:
        there = "several versions begin so" if found else "there is no such version"
        listed = ", ".join(sorted(set(folders) | stored)[:6])
        raise SnapshotMissing(f"{set_name} {start}: {there}. Versions: {listed}. Run: flywheel releases {set_name}")
    return found[0]


def results(home: Home, set_name: str, version: str | None = None) -> list[Result]:
    """The results of a set, or of one version of it: of each run the one told last, in the order they were told first."""
    last = {(r.version, r.run): r for r in _told(home, set_name)}
    return [r for r in last.values() if version in (None, r.version)]


def runs_of(home: Home, set_name: str, version: str) -> list[dict[str, str]]:
    """Runs that were trained on a version."""
    return [
        {"set": set_name, "version": version, "run": r.run, "model": r.model}
        for r in results(home, set_name, version)
        if r.role == "student"
    ]


def scores(told: Sequence[Result], role: str = "student") -> dict[str, Score]:
    """Each score over several runs: its mean, with the larger of what the runs say their error is and of what they differ by."""
    by_name: dict[str, list[Score]] = {}
    for result in told:
        if result.role == role:
            for score in result.scores:
                by_name.setdefault(score.name, []).append(score)
    return {name: _mean(found) for name, found in sorted(by_name.items())}


def _mean(found: Sequence[Score]) -> Score:
    k = len(found)
    mean = sum(s.value for s in found) / k
    told = math.sqrt(sum(s.error**2 for s in found)) / k
    seen = math.sqrt(sum((s.value - mean) ** 2 for s in found) / (k - 1) / k) if k > 1 else 0.0
    return Score(name=found[0].name, value=mean, n=found[0].n, se=max(told, seen), better=found[0].better)


def compare(old: dict[str, Score], new: dict[str, Score]) -> list[Comparison]:
    """The scores that both have."""
    found = []
    for name in sorted(old.keys() & new.keys()):
        a, b = old[name], new[name]
        band = BAND * math.hypot(a.error, b.error)
        gain = (b.value - a.value) * (1 if a.better == "higher" else -1)
        verdict = "worse" if gain < -band else "better" if gain > band else "noise"
        found.append(Comparison(name, a.value, b.value, band, verdict))
    return found


def table(told: Sequence[Result]) -> list[dict[str, Any]]:
    """A line for each score: student and teacher side by side."""
    student, teacher = scores(told, "student"), scores(told, "teacher")
    return [
        {
            "score": name,
            "student": student[name].value if name in student else None,
            "student_error": student[name].error if name in student else None,
            "teacher": teacher[name].value if name in teacher else None,
            "teacher_error": teacher[name].error if name in teacher else None,
        }
        for name in sorted(student.keys() | teacher.keys())
    ]


def _told(home: Home, set_name: str) -> list[Result]:
    """Every line there is. Raises `ResultInvalid` where one cannot be read: a result must not vanish silently."""
    try:
        lines = _file(home, set_name).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    try:
        return [Result.model_validate(orjson.loads(line)) for line in lines]
    except ValueError:
        raise ResultInvalid(
            f"{_file(home, set_name)} is damaged. Mend its last line, or delete the file and tell the results again."
        ) from None


def _file(home: Home, set_name: str) -> Path:
    return home.store.root / set_name / "results.jsonl"
