"""What stands behind one released version of a set: its manifest, found by name, and what it says in short."""

from typing import Any

import orjson

from flywheel.errors import SnapshotMissing
from flywheel.home import Home
from flywheel.storage.releases import exported
from flywheel.storage.results import known_version


def manifest_of(home: Home, wanted: str) -> dict[str, Any] | None:
    """The manifest of SET (its current version) or SET@VERSION; None where there is no set of that name on disk.

    Raises `SnapshotMissing` for a version that there is not, is not released, or whose manifest cannot be read.
    """
    name, _, start = wanted.partition("@")
    folders = {e.version: e.folder for e in exported(home) if e.set == name}
    if not folders:
        return None
    version = known_version(home, name, start or "current")
    try:
        manifest: dict[str, Any] = orjson.loads((folders[version] / "manifest.json").read_bytes())
    except (KeyError, OSError, ValueError):
        raise SnapshotMissing(
            f"{name} {version} has no manifest that can be read in {home.exports / name}; released are: "
            f"{', '.join(sorted(folders))}. Run: flywheel verify"
        ) from None
    if "derivation" not in manifest:
        sets = ", ".join(sorted({str(stage["set"]) for stage in manifest.get("stages", ()) if "set" in stage}))
        raise SnapshotMissing(f"{name} is a curriculum, made of sets: ask for one of them ({sets}).")
    return manifest


def told(home: Home, manifest: dict[str, Any]) -> dict[str, Any]:
    """`{set, version, path, stages[{name, version, operation, inputs[], steps[]}], raw_files, files}`, the nearest stage first."""
    stages = [
        {"name": s["name"], "version": s["version"], "operation": s["operation"]}
        | {"inputs": sorted({"raw files" if i["name"].startswith("raw:") else i["name"] for i in s["inputs"]})}
        | {"steps": [f"{step['use']}@{step['version']}" for step in s["steps"]]}
        for s in manifest["derivation"]
    ]
    path = str(home.exports / manifest["set"] / manifest["version"])
    return {"set": manifest["set"], "version": manifest["version"], "path": path, "stages": stages} | {
        "raw_files": len(manifest["raw_files"]),
        "files": len(manifest["files"]),
    }
