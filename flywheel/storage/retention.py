"""What of a home is still needed, and removing the rest: old releases on request, and snapshots that nothing needs any more.

Needed is every newest snapshot, and every snapshot that a release on disk names in its manifest, with all their parts: a
release can be walked back as long as it is there.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flywheel.home import Home
from flywheel.stages.export import ancestry
from flywheel.storage.promotion import held
from flywheel.storage.releases import Exported, exported
from flywheel.storage.results import results


@dataclass(frozen=True, slots=True)
class Waste:
    """What nothing needs: release folders beyond those kept, manifests, folders of parts, leftovers of killed runs."""

    releases: tuple[Path, ...]
    manifests: tuple[Path, ...]
    parts: tuple[Path, ...]
    leftovers: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of it, in the order in which it may go: what points before what is pointed at."""
        return (*self.releases, *self.manifests, *self.parts, *self.leftovers)

    def told(self) -> dict[str, Any]:
        """Counts and bytes, for `--json`."""
        kinds = {name: getattr(self, name) for name in ("releases", "manifests", "parts", "leftovers")}
        return {name: len(paths) for name, paths in kinds.items()} | {"bytes": sum(size(p) for p in self.paths)}


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(f.stat().st_size for f in files if f.is_file() and not f.is_symlink())


def waste(home: Home, keep: int | None = None) -> Waste:
    """What can go. `keep`: how many of the newest releases of each set stay; all, where it is not given. The current one, one that
    a model was trained on, and one that was rolled back from stay in any case. Call while holding the home's lock."""
    there = list(exported(home))
    old = _old(home, there, keep) if keep is not None else []
    stay = [e for e in there if e not in old]
    keys = _needed(home, stay)
    manifests = [m for m in _manifests(home) if (m.parent.name, m.stem) not in keys]
    gone = set(manifests)
    parts = {key for m in _manifests(home) if m not in gone for key in _parts(m)}
    unused = [p.parent for p in sorted(home.store.root.glob("parts/*/*/part.json")) if p.parent.name not in parts]
    return Waste(
        tuple(e.folder for e in old), tuple(manifests), tuple(unused), tuple(sorted(home.store.staging.glob("*")))
    )


def remove(found: Waste) -> None:
    """Remove it. A kill in the middle leaves what was needed and some of the rest."""
    for path in found.paths:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _old(home: Home, there: Iterable[Exported], keep: int) -> list[Exported]:
    by_set: dict[str, list[Exported]] = defaultdict(list)
    for e in there:
        by_set[e.set].append(e)
    return [
        e
        for name, versions in by_set.items()
        for e in versions[: max(0, len(versions) - keep)]
        if not e.current and e.version not in held(home, name) and not results(home, name, e.version)
    ]


def _needed(home: Home, stay: Iterable[Exported]) -> set[tuple[str, str]]:
    """Dataset and key of every manifest that is needed."""
    needed = {(name, key) for name in home.store.names() if (key := home.store.head_key(name))}
    wanted: dict[str, set[str]] = defaultdict(set)
    for e in stay:
        for name, version in _named(home, e):
            wanted[name].add(version)
    for name, versions in wanted.items():
        needed |= {(name, m.key) for m in home.store.history(name) if m.version in versions}
    return needed


def _named(home: Home, export: Exported) -> list[tuple[str, str]]:
    """Every snapshot that a release names: its own, and what it derives from. A manifest that cannot be read is no reason to remove
    what it may need: `flywheel verify` names it first."""
    told: Mapping[str, Any] = json.loads((export.folder / "manifest.json").read_bytes())
    own = (export.set, str(told["snapshot"]))
    if "derivation" in told:
        return [own, *[(str(d["name"]), str(d["version"])) for d in told["derivation"]]]
    made = home.store.find(*own)
    return [own, *[(s.name, s.version) for s in (ancestry(home.store, made) if made else ())]]


def _manifests(home: Home) -> list[Path]:
    return sorted(p for p in home.store.root.glob("*/*.json") if p.parent.name not in ("parts", "staging"))


def _parts(manifest: Path) -> set[str]:
    return {str(p["key"]) for p in json.loads(manifest.read_bytes())["parts"]}
