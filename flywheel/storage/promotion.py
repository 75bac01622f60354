"""Which version of a set is the current one: promoted by a build or by hand, rolled back, and never silently for the worse.

HOME/snapshots/SET/HELD    versions that a build may not make current again: they were rolled back from, and why
"""

import json
from collections.abc import Sequence
from typing import Any

from flywheel.errors import PromotionRefused, SnapshotMissing
from flywheel.home import Home
from flywheel.records import canonical
from flywheel.stages.export import damaged_in, point
from flywheel.storage import results as evaluated
from flywheel.storage.releases import before, exported, reasons, remember
from flywheel.storage.results import Comparison
from flywheel.storage.snapshots import replace_synced


def current_version(home: Home, set_name: str) -> str | None:
    """The version that `current` points at."""
    return next((e.version for e in exported(home) if e.set == set_name and e.current), None)


def may_promote(home: Home, set_name: str, version: str) -> tuple[list[str], list[Comparison]]:
    """Reasons why a version should not become the current one, as sentences, and the scores they were read off.

    It is worse than the current one in a score, beyond noise; or the current one has scores and it has none of them: what was
    not measured is not as good.
    """
    now = current_version(home, set_name)
    if now is None or now == version:
        return [], []
    old = evaluated.scores(evaluated.results(home, set_name, now))
    new = evaluated.scores(evaluated.results(home, set_name, version))
    compared = evaluated.compare(old, new)
    against = [
        f"{c.name} is {c.new:.4g}, and {c.old:.4g} with {now}: more than noise ({c.band:.4g}) worse."
        for c in compared
        if c.verdict == "worse"
    ]
    if old and not compared:
        against = [f"it has no score to hold against those of {now} ({', '.join(old)})."]
    return against, compared


def promote(home: Home, set_name: str, start: str, because: str | None = None) -> dict[str, Any]:
    """Make a released version the current one. Call while holding the home's lock.

    Raises `PromotionRefused` where `may_promote` gives a reason and `because` none, and where its files are not whole: that, no
    reason outweighs. Returns what was done, for people and for `--json`.
    """
    version = evaluated.known_version(home, set_name, start)
    folder = _whole(home, set_name, version)
    against, compared = may_promote(home, set_name, version)
    if against and not (because and because.strip()):
        raise PromotionRefused(
            f"{set_name} {version} is not promoted: {' '.join(against)} To do it all the same, say why: "
            f'flywheel promote {set_name} {version} --because "…"'
        )
    was = current_version(home, set_name)
    _hold(home, set_name, {k: v for k, v in held(home, set_name).items() if k != version})
    point(folder, version)
    remember(home, set_name, version, because if against else None)
    return {
        "set": set_name,
        "version": version,
        "was": was,
        "against": against,
        "because": because if against else None,
        "scores": [
            {"name": c.name, "old": c.old, "new": c.new, "band": c.band, "verdict": c.verdict} for c in compared
        ],
    }


def rollback(home: Home, set_name: str, because: str) -> dict[str, Any]:
    """Make the version before the current one current again, and hold the one that was: no build makes it current again, only
    `promote` does. Call while holding the home's lock. Raises `SnapshotMissing` where there is none before it on disk."""
    was = current_version(home, set_name)
    there = {e.version for e in exported(home) if e.set == set_name}
    to = before(home, set_name, was) if was else None
    if was is None or to not in there:
        raise SnapshotMissing(
            f"there is no version of {set_name} before the current one on disk. Versions: flywheel releases {set_name}"
        )
    assert to is not None
    folder = _whole(home, set_name, to)
    _hold(home, set_name, held(home, set_name) | {was: because})
    point(folder, to)
    remember(home, set_name, to, because)
    return {"set": set_name, "version": to, "was": was, "because": because}


def _whole(home: Home, set_name: str, version: str) -> Any:
    """The export folder of a set that holds the version with all its bytes."""
    folder = home.exports / set_name
    if not (folder / version / "manifest.json").is_file():
        raise SnapshotMissing(
            f"{set_name} {version} is not in {folder}. Build it again with its recipe, then promote it."
        )
    if wrong := damaged_in(folder / version):
        raise PromotionRefused(
            f"{set_name} {version} is not promoted: {', '.join(wrong[:5])} no longer as released. Run: flywheel verify"
        )
    return folder


def held(home: Home, set_name: str) -> dict[str, str]:
    """Versions that a build may not make current, and why."""
    try:
        told: dict[str, str] = json.loads((home.store.root / set_name / "HELD").read_bytes())
    except FileNotFoundError:
        return {}
    return told


def _hold(home: Home, set_name: str, versions: dict[str, str]) -> None:
    if versions != held(home, set_name):
        replace_synced(home.store.root / set_name / "HELD", canonical(versions))


def pointed_by_build(home: Home, set_name: str, version: str, by_hand: bool) -> bool:
    """Whether a build makes a version the current one: not one that was rolled back from, and not another than is there where
    that is done by hand."""
    now = current_version(home, set_name)
    return now == version or (version not in held(home, set_name) and (now is None or not by_hand))


def told(home: Home, set_name: str | None = None) -> list[dict[str, Any]]:
    """Every version of every set on disk, the one released first at the top."""
    found = []
    for e in exported(home):
        if set_name in (None, e.set):
            rows = _counts(e.folder)
            runs = evaluated.results(home, e.set, e.version)
            found.append(
                {"set": e.set, "version": e.version, "rank": e.rank, "current": e.current, **rows}
                | {"held": held(home, e.set).get(e.version), "runs": len({r.run for r in runs})}
                | {"scores": evaluated.table(runs), "path": str(e.folder)}
            )
    return found


def _counts(folder: Any) -> dict[str, int]:
    try:
        counts = json.loads((folder / "manifest.json").read_bytes())["counts"]
    except (OSError, ValueError, KeyError):
        return {"train": 0, "validation": 0}
    return {"train": int(counts.get("train", 0)), "validation": int(counts.get("validation", 0))}


def since_before(home: Home, set_name: str) -> Sequence[Comparison]:
    """The scores of the current version against those of the one before it; none where somebody said why it is current."""
    now = current_version(home, set_name)
    was = before(home, set_name, now) if now else None
    if now is None or was is None or reasons(home, set_name).get(now):
        return []
    old, new = (evaluated.scores(evaluated.results(home, set_name, v)) for v in (was, now))
    return evaluated.compare(old, new)
