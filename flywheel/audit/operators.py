"""Where an operator took part: the snapshots it made, what was made of these, and the rows it changed or left out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from flywheel.edits import EDITS
from flywheel.errors import UnknownRow, nearest
from flywheel.filters import FILTERS
from flywheel.kinds import Filter, Redaction

if TYPE_CHECKING:
    from flywheel.storage.catalog import Catalog


class Use(NamedTuple):
    """A snapshot, and how it comes to depend on an operator: `direct`, or through the snapshots it was made from."""

    dataset: str
    version: str
    head: bool
    direct: bool
    operator_version: int | None = None
    parameters: str | None = None
    """JSON."""

    def told(self) -> dict[str, Any]:
        """The same as a fact."""
        return self._asdict() | {"version": self.version[:12]}


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an operator."""

    name: str
    uses: tuple[Use, ...]
    reasons: list[str]
    """What rows that it left out in the newest snapshots are said to be."""

    @property
    def newest(self) -> bool:
        """Whether it took part in a newest snapshot: only of these the single rows are known."""
        return any(u.head and u.direct for u in self.uses)


def uses(catalog: "Catalog", wanted: str) -> Found:
    """Every snapshot that NAME, or NAME@VERSION, took part in. Raises `UnknownRow` with the nearest name."""
    name, _, version = wanted.partition("@")
    steps = catalog.rows(
        "SELECT s.dataset, s.version, s.head, d.version AS operator_version, d.parameters FROM derivation_steps d "
        "JOIN snapshots s USING (dataset, key) WHERE d.use = ? ORDER BY ALL",
        [name],
    )
    if not steps:
        known = [r["use"] for r in catalog.rows("SELECT DISTINCT use FROM derivation_steps ORDER BY use")]
        raise UnknownRow(f'no operator "{name[:200]}" took part in anything.{nearest(name, known)}')
    found = [s for s in steps if not version or str(s["operator_version"]) == version]
    if not found:
        there = sorted({f"{name}@{s['operator_version']}" for s in steps})
        raise UnknownRow(f'"{wanted[:200]}" took part in nothing. Versions that did: {", ".join(there)}.')
    direct = {(s["dataset"], s["version"]) for s in found}
    made = catalog.rows(
        "WITH RECURSIVE made(dataset, version) AS (SELECT s.dataset, s.version FROM derivation_steps d JOIN snapshots s USING (dataset, key) "
        "WHERE d.use = $1 AND ($2 = '' OR d.version::VARCHAR = $2) UNION SELECT s.dataset, s.version FROM made m "
        "JOIN derivation_inputs i ON i.input = m.dataset AND i.input_version = m.version JOIN snapshots s ON s.dataset = i.dataset AND s.key = i.key) "
        "SELECT dataset, version, bool_or(head) AS head FROM made JOIN snapshots USING (dataset, version) GROUP BY ALL ORDER BY ALL",
        [name, version],
    )
    uses = [Use(s["dataset"], s["version"], s["head"], True, s["operator_version"], s["parameters"]) for s in found]
    uses += [
        Use(m["dataset"], m["version"], m["head"], False) for m in made if (m["dataset"], m["version"]) not in direct
    ]
    told = {r for s in found if s["head"] for r in _reasons(name, s["parameters"])}
    return Found(name, tuple(uses), sorted(told))


def labelled(catalog: "Catalog", wanted: str) -> list[Use]:
    """The sets made of what was labelled by a guideline, NAME or NAME@VERSION, and which text that was."""
    made = catalog.rows(
        "SELECT DISTINCT s.dataset, s.version, s.head, d.parameters FROM derivation_steps d JOIN snapshots s USING (dataset, key) "
        "WHERE d.use = 'guideline' AND $1 IN (d.parameters->>'$.name', (d.parameters->>'$.name') || '@' || (d.parameters->>'$.version')) ORDER BY ALL",
        [wanted],
    )
    return [Use(m["dataset"], m["version"], m["head"], True, None, m["parameters"]) for m in made]


def changed_by(found: Found) -> str:
    """Condition on lineage_calls: the conversations an operator changed or left out in the newest snapshots."""
    if not found.newest:
        return "false"
    name = found.name.replace("'", "''")
    named = f"SELECT number FROM lineage_names WHERE name = '{name}' AND what ="
    left = "SELECT number FROM lineage_reasons WHERE list_has_any(reasons, $reasons)"
    undesired = "SELECT id FROM screened WHERE list_has_any(undesired, $reasons)"
    return (
        f"source IN ({named} 'source') OR screened IN ({left}) OR curated IN ({left}) "
        f"OR call IN (SELECT call FROM lineage_edits WHERE edit IN ({named} 'edit')) "
        f"OR call IN (SELECT number FROM lineage_ids WHERE id IN ({undesired}))"
    )


def _reasons(name: str, parameters: str) -> list[str]:
    """What an operator says of the rows it leaves out."""
    cls = FILTERS.get(name) or EDITS.get(name)
    if cls is None:
        return [name]
    try:
        operator = cls.model_validate({"use": name, **orjson.loads(parameters)})
    except ValueError:  # the parameters of an older version
        return [name]
    if isinstance(operator, Filter):
        return [*operator.verdicts()]
    return [operator.reason] if isinstance(operator, Redaction) and operator.reason else []
