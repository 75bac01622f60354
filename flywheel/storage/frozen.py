"""Frozen sets: HOME/frozen/NAME.json names the rows of a pilot and of its evaluation twin, from its first release on.

The file is an input like the logs: keep it with them. Without it, the next build draws anew.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flywheel.errors import SnapshotDamaged
from flywheel.records import canonical
from flywheel.storage.snapshots import Snapshot, replace_synced

FROZEN = "frozen"
"""The folder of a home."""
Frozen = Mapping[str, Any]
"""`pilot` and `evaluation` (ids of examples), `kept_out` (ids of conversations), `seed`, `by`."""


def frozen(home: Path, names: Iterable[str]) -> dict[str, Frozen]:
    """What is frozen of these sets. Raises `SnapshotDamaged` where a file cannot be read: drawing anew would train on the twin."""
    found: dict[str, Frozen] = {}
    for name in names:
        path = home / FROZEN / f"{name}.json"
        if path.exists():
            try:
                body = json.loads(path.read_bytes())
                found[name] = {k: body[k] for k in ("pilot", "evaluation", "kept_out", "seed", "by")}
            except (OSError, ValueError, KeyError, TypeError):
                raise SnapshotDamaged(
                    f"{path} is damaged. Restore it from a backup; if there is none, delete it, and the pilot {name} is drawn anew."
                ) from None
    return found


def freeze(home: Path, name: str, reserved: Snapshot, seed: int, by: Iterable[str]) -> bool:
    """Write down the rows of a pilot, once. Whether it was not frozen before."""
    path = home / FROZEN / f"{name}.json"
    if path.exists():
        return False
    rows = reserved.scan().filter(set=name).select("id", "side").sort("id").collect()
    kept = reserved.scan("kept_out").filter(set=name).select("id").sort("id").collect()["id"].to_list()
    sides = {side: rows.filter(side=side)["id"].to_list() for side in ("pilot", "evaluation")}
    path.parent.mkdir(exist_ok=True)
    replace_synced(path, canonical({**sides, "kept_out": kept, "seed": seed, "by": list(by)}))
    return True
