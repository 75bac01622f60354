"""The policy of a recipe: fields that must not be kept, consent that must be there, how old a row may be, types declared."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import orjson
import polars as pl
from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from flywheel.lineage import Step

EDIT = "drop_fields"
"""What the table of edits calls the removal of a field."""

Value = StrictBool | StrictInt | StrictFloat | StrictStr
Path = str
"""Where a value stands in a line of the log, its keys joined by dots: `metadata.consent`, or `tenant` beside the request."""
PATH = r"^[^.'\[\]\\]+(\.[^.'\[\]\\]+)*$"


class Policy(BaseModel, frozen=True, extra="forbid"):
    """What the law, or a contract, says of the rows."""

    drop_fields: tuple[str, ...] = ()
    """Names of fields that are removed at any depth."""
    require: dict[str, Value] = Field(default={})
    """Path, such as `metadata.consent` -> the value it must have; other rows are `no_consent`."""
    max_age_days: int | None = Field(default=None, ge=0)
    """Rows of days further back from the newest day of the logs are `too_old`. The clock is never asked."""
    types: dict[str, Literal["int", "float", "number", "string", "bool", "object", "list"]] = {}
    """Path -> the type its values are declared to have; a check counts those that have another."""

    @property
    def forbidden(self) -> tuple[str, ...]:
        """The forbidden names, folded, each once, sorted."""
        return tuple(sorted({name.casefold() for name in self.drop_fields}))

    def step(self) -> Step:
        """What lineage records of it: what changes rows, and nothing of what is only checked."""
        return Step(use="policy", parameters={EDIT: list(self.forbidden), "max_age_days": self.max_age_days})

    def faults(self) -> Iterator[str]:
        """What cannot be meant, each beginning with the key it is about."""
        for key in ("require", "types"):
            for path in getattr(self, key):
                if not re.match(PATH, path):
                    yield f'{key}: "{path}" is no path; expected the keys of a log line joined by dots, such as metadata.consent.'
        if "" in self.forbidden:
            yield "drop_fields: a name is empty; expected the name of a field."


NO_POLICY = Policy()
"""The policy of a recipe that names none."""


def found_at(path: Path) -> pl.Expr:
    """The value at a path, as JSON writes it but for the quotes; null where there is none. Further keys of a line are the
    column `metadata`."""
    return pl.col("metadata").str.json_path_match("$" + "".join(f"['{key}']" for key in path.split(".")))


# --- types


def type_drift(rows: pl.DataFrame, types: Mapping[Path, str]) -> dict[str, int]:
    """Values that do not have the type declared, per path and the type they have: `metadata.score is int`. Null is no value."""
    found: dict[str, int] = {}
    for path, declared in types.items():
        there = rows.lazy().select("metadata", at=found_at(path)).filter(pl.col("at").is_not_null())
        for text, times in there.group_by("metadata").len().collect().rows():
            value = orjson.loads(text)
            for key in path.split("."):
                value = value[key]
            actual = _NAMES[type(value)]
            if actual != declared and not (declared == "number" and actual in ("int", "float")):
                found[f"{path} is {actual}"] = found.get(f"{path} is {actual}", 0) + times
    return dict(sorted(found.items()))


_NAMES: Mapping[type, str] = {
    bool: "bool", int: "int", float: "float", str: "string", dict: "object", list: "list",
}  # fmt: skip
