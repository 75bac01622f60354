"""What changed in a finetuning set between two versions, and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from flywheel.errors import SnapshotMissing, nearest
from flywheel.stages.export import current
from flywheel.storage.releases import before, is_set
from flywheel.storage.snapshots import Snapshot

if TYPE_CHECKING:
    from flywheel.home import Home

Fact = dict[str, Any]
JUDGED = ("thumb", "rating", "correction", "contradicted", "copied", "abandoned", "regenerated")


def version(home: "Home", name: str, wanted: str) -> Snapshot:
    """A version of a set: "candidate", "current", "previous", or the start of its version. Raises `SnapshotMissing`."""
    store = home.store
    sets = [n for n in store.names() if is_set(store.head(n))]
    if name not in sets:
        known = f"Sets: {', '.join(sets)}." if sets else "None has been built yet. Run: flywheel build"
        raise SnapshotMissing(f'there is no set "{name}".{nearest(name, sets)} {known}')
    if wanted == "candidate":
        return store.head(name)
    start = _released(home, name, wanted) if wanted in ("current", "previous") else wanted
    versions = {m.version for m in store.history(name)}
    found = {v for v in versions if len(start) >= 4 and v.startswith(start)}
    if len(found) == 1 and (snapshot := store.find(name, found.pop())) is not None:
        return snapshot
    fault = "is the start of several versions" if found else "is no version"
    raise SnapshotMissing(
        f'"{wanted}" {fault} of "{name}". Give candidate, current, previous, or the start (at least 4 digits) of one of: '
        f"{', '.join(sorted(v[:12] for v in versions))}."
    )


def _released(home: "Home", name: str, wanted: str) -> str:
    """The version that is current, or the one that was before it."""
    now = current(home.exports / name)
    if now is None:
        raise SnapshotMissing(f'no version of "{name}" has been released yet. Run: flywheel build')
    version = now.name if wanted == "current" else before(home, name, now.name)
    if version is None:
        raise SnapshotMissing(f'"{name}" was released only once; there is no previous version.')
    return version


def diff(home: "Home", name: str, old: str, new: str) -> Fact:
    """What changed in a set: `{set, old, new, counts, added, removed, changed, moved}`, each example with the reason where it can be told.

    `changed` are examples of the same id with another text, label or score; `moved` went to the other side of the split.
    """
    before, after = version(home, name, old), version(home, name, new)
    columns = ["id", "parents", "split", "digest"]
    a, b = before.scan().select(columns).collect(), after.scan().select(columns).collect()
    added, removed = b.join(a, on="id", how="anti"), a.join(b, on="id", how="anti")
    both = b.join(a, on="id", suffix="_old")
    changed = both.filter(pl.col("digest") != pl.col("digest_old"))
    moved = both.filter(pl.col("split") != pl.col("split_old"))
    touched = pl.concat([f.select("id", "parents") for f in (added, removed, changed, moved)]).unique("id")
    parents = touched["parents"].explode(empty_as_null=True).drop_nulls().unique()
    was, now = _facts(home, before, parents, touched["id"]), _facts(home, after, parents, touched["id"])

    def listed(frame: pl.DataFrame, more: Sequence[str] = ()) -> list[Fact]:
        return [
            {"id": r["id"], "split": r["split"], "why": _difference(r["id"], r["parents"] or [], was, now)}
            | {m: r[m] for m in more}
            for r in frame.sort("id").iter_rows(named=True)
        ]

    result = {
        "added": listed(added),
        "removed": listed(removed),
        "changed": listed(changed),
        "moved": listed(moved, ["split_old"]),
    }
    return {
        "set": name,
        "old": {"version": before.version[:12], "rows": a.height},
        "new": {"version": after.version[:12], "rows": b.height},
        "counts": {k: len(v) for k, v in result.items()},
        **result,
    }


def _world(home: "Home", snapshot: Snapshot) -> dict[str, Snapshot]:
    """Every dataset a snapshot was made from, in the version it was made from."""
    world, queue = {snapshot.name: snapshot}, [snapshot]
    while queue:
        for ref in queue.pop().derivation.inputs:
            if ref.name not in world and (found := home.store.find(ref.name, ref.version)) is not None:
                world[ref.name] = found
                queue.append(found)
    return world


def _facts(
    home: "Home", snapshot: Snapshot, parents: pl.Series, examples: pl.Series
) -> Mapping[str, Mapping[str, Any]]:
    """What was known when a version was made: where each conversation stood, its label, and why examples were refused."""
    world = _world(home, snapshot)

    def of(dataset: str, table: str, ids: pl.Series) -> list[Fact]:
        if dataset not in world or table not in world[dataset].schemas:
            return []
        return world[dataset].scan(table).filter(pl.col("id").is_in(ids.implode())).collect().to_dicts()

    stood: dict[str, str] = {}
    for dataset in ("conversations", "screened", "curated"):
        where = "in the pool" if dataset == "curated" else "logged"
        if dataset in world:
            frame = world[dataset].scan().select("id").filter(pl.col("id").is_in(parents.implode())).collect()
            stood |= dict.fromkeys(frame["id"], where)
        for r in of(dataset, "rejected", parents):
            instead = f" of {r['instead']}" if r.get("instead") else ""
            stood[r["id"]] = f"rejected ({', '.join(r['reasons'])}{instead})"
    return {
        "stood": stood,
        "label": {r["id"]: {k: r.get(k) for k in JUDGED} for r in of("labels", "rows", parents)},
        "refused": {
            r["id"]: r["reasons"] for r in of(snapshot.name, "rejected", pl.concat([examples, parents]).unique())
        },
    }


def _difference(
    id: str, parents: Sequence[str], was: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Sentences on what is otherwise for one example."""
    said = []
    for parent in sorted(set(parents)):
        before, after = was["stood"].get(parent), now["stood"].get(parent)
        if before != after:
            said.append(f"{parent} is new" if before is None else f"{parent} was {before}, is now {after or 'gone'}")
        one, two = was["label"].get(parent, {}), now["label"].get(parent, {})
        said += [
            f"{parent}: {k} was {_short(one.get(k))}, is now {_short(two.get(k))}"
            for k in JUDGED
            if one.get(k) != two.get(k)
        ]
    for side, tense in ((was, "was refused"), (now, "is refused")):
        reasons = side["refused"].get(id) or next((side["refused"][p] for p in parents if p in side["refused"]), None)
        if reasons:
            said.append(f"{tense}: {', '.join(reasons)}")
    return said or ["its recipe, mix or split changed, or other rows took its place"]


def _short(value: object) -> str:
    text = "unknown" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
