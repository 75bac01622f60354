"""Guidelines: what people and judges label by. The recipe names each with its version; a digest says which text that was.

An event of feedback names its guideline in its metadata (`guideline` and `guideline_version`; or NAME@VERSION in `guideline`
alone, to which no version is then appended). What a guideline says is not read here: it is known by its bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from flywheel.errors import RecipeInvalid
from flywheel.lineage import Step
from flywheel.quality.tally import MEASURES, each
from flywheel.quality.target import Target
from flywheel.rights.licences import fault
from flywheel.storage.snapshots import Snapshot

COUNTS = ("events", "examples")
SHOWN = 20
"""Guidelines that the recipe does not have which are named one by one."""


class Guideline(BaseModel):
    """One version of one guideline. Several versions of it may stand side by side, each under its own table."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)
    name: str = Field(pattern=r"^[^\s@]{1,80}$")
    version: str = Field(pattern=r"^[^\s@]{1,40}$")
    """As events name it: `2` and `"2"` are one version."""
    file: str = ""
    """Where its text lies, from the recipe's folder; any format."""
    text: str = ""
    """Its text, in place of a file."""
    licence: str = ""
    """An SPDX expression, where it is somebody's."""

    _sha256: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _has_one_text(self) -> "Guideline":
        if bool(self.file) == bool(self.text.strip()):
            raise ValueError("has no text, or two; expected either file or text")
        if self.licence and (why := fault(self.licence)):
            raise ValueError(f'licence: "{self.licence}" {why}')
        self._sha256 = "" if self.file else hashlib.sha256(self.text.encode()).hexdigest()
        return self

    def located(self, folder: Path) -> "Guideline":
        """The same guideline, its file read. Raises `RecipeInvalid` where that cannot be."""
        if not self.file:
            return self
        moved = self.model_copy()
        try:
            moved._sha256 = hashlib.sha256((folder / self.file).read_bytes()).hexdigest()
        except OSError as e:
            raise RecipeInvalid(
                f"the guideline {self.called} cannot be read: {folder / self.file}: {e.strerror}. Put the file there, or mend `file`."
            ) from None
        return moved

    @property
    def called(self) -> str:
        """NAME@VERSION."""
        return f"{self.name}@{self.version}"

    def told(self) -> dict[str, str]:
        """`name`, `version`, `sha256` of its text and, where it has one, `licence`."""
        known = {"name": self.name, "version": self.version, "sha256": self._sha256}
        return known | ({"licence": self.licence} if self.licence else {})


def repeated(guidelines: Sequence[Guideline]) -> Iterator[str]:
    """The faults of guidelines that only show beside each other."""
    for called, n in Counter(g.called for g in guidelines).items():
        if n > 1:
            yield f"guideline: {called} is there {n} times; give each text a version of its own."


KNOWN = Target(
    name="guidelines_are_known",
    metric="strange_guidelines",
    unit="count",
    says="{value} of {n} events made by a guideline, or a version of one, that the recipe does not have",
    next_step="Add a [[guideline]] with that name and version, or find out why people label by another one.",
    max=0,
    severity="warn",
)


def measured(feedback: Snapshot, guidelines: Sequence[Guideline]) -> pl.DataFrame:
    """MEASURES: `strange_guidelines`, with a segment for each that the recipe does not have; of events that name one. Nothing where the
    recipe has no guideline."""
    if not guidelines:
        return pl.DataFrame(schema=MEASURES)
    counts = dict(_naming(feedback).group_by("called").len().collect().iter_rows())
    ours = {g.called for g in guidelines}
    strange = sorted((-n, called) for called, n in counts.items() if called not in ours)
    named = {called: -n for n, called in strange[:SHOWN]}
    rows = each(KNOWN.metric, -sum(n for n, _ in strange), named, sum(counts.values()))
    return pl.DataFrame(rows, schema=MEASURES).sort("metric", "segment")


def labelled_by(examples: pl.DataFrame, feedback: Snapshot, guidelines: Sequence[Guideline]) -> list[dict[str, Any]]:
    """What `told` says of each guideline that events behind the examples (`id`, `feedback`) name, with the number of these `events` and
    `examples`."""
    if not guidelines:
        return []
    behind = examples.select("id", feedback_id="feedback").explode("feedback_id").drop_nulls()
    by = behind.join(_naming(feedback).collect(), on="feedback_id")
    counts = by.group_by("called").agg(events=pl.col("feedback_id").n_unique(), examples=pl.col("id").n_unique())
    found = {called: {"events": events, "examples": n} for called, events, n in counts.iter_rows()}
    ours = sorted(guidelines, key=lambda g: g.called)
    return [{**g.told(), **found[g.called]} for g in ours if g.called in found]


def recorded(by: Sequence[Mapping[str, Any]]) -> list[Step]:
    """What lineage records of those that `labelled_by` found."""
    return [Step(use="guideline", parameters={k: v for k, v in told.items() if k not in COUNTS}) for told in by]


def _naming(feedback: Snapshot) -> pl.LazyFrame:
    """`feedback_id` and `called` of the events that name a guideline; one without a version is NAME alone."""
    said = pl.col("metadata")
    of, version = (said.str.json_path_match(f"$.{key}") for key in ("guideline", "guideline_version"))
    called = pl.concat_str(of, pl.when(version.is_not_null()).then(pl.format("@{}", version)).otherwise(pl.lit("")))
    named = feedback.scan().filter(said.str.contains('"guideline"', literal=True).fill_null(False))
    return named.select("feedback_id", called=called).drop_nulls()
