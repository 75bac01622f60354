"""The release of a curriculum: its stages in order, each a folder with its files and manifest, and one manifest over them.

exports/CURRICULUM/VERSION/stage_1/…      the files of the first stage, as a set has them
exports/CURRICULUM/VERSION/manifest.json  the stages in order, what each is, digest of every file
exports/CURRICULUM/VERSION/README.md      the same for people
exports/CURRICULUM/current -> VERSION
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from flywheel.choices.curriculum import Curriculum
from flywheel.errors import ReleaseRefused
from flywheel.home import Home
from flywheel.kinds import SetKind
from flywheel.lineage import ENGINE
from flywheel.quality.targets import set_targets
from flywheel.quality.targets import wanted as targets_of
from flywheel.records import canonical, short_hash
from flywheel.rights.clearance import told as rights_of
from flywheel.stages.curriculum import parts_of_stage
from flywheel.stages.export import (
    VERSION_DIGITS,
    ExportContext,
    ancestry,
    format_versions,
    gate,
    placed,
    point,
    recover,
    render,
)
from flywheel.storage.promotion import pointed_by_build
from flywheel.storage.releases import remember
from flywheel.storage.releasing import verdicts
from flywheel.storage.snapshots import Snapshot, file_digest, write_synced


@dataclass(frozen=True, slots=True)
class ReleasedCurriculum:
    """A version of a curriculum in the export folder."""

    version: str
    path: Path
    stages: tuple[Mapping[str, Any], ...]
    """What each stage is; see stages.curriculum."""
    fresh: bool
    """Whether anything was written."""


def release(home: Home, wanted: Curriculum) -> ReleasedCurriculum:
    """Release the newest version of a curriculum. Raises `ReleaseRefused` where a blocking check of it, or of a set in it, has not
    passed for these very snapshots; the release before it stays."""
    recipe, made = home.recipe(), home.store.head(wanted.name)
    kinds = {s.name: s for s in recipe.sets if s.name in wanted.sets}
    targets = targets_of("curriculum", dict(wanted.check))
    known = verdicts(home, made, targets)
    gate(made, known, targets)
    for name, kind in kinds.items():
        _gate_set(home, made, name, kind)
    chain = ancestry(home.store, made)
    rights = rights_of(home.store, made, recipe.rights)
    context = ExportContext(recipe.name, recipe.digest, known, chain, rights, serving=recipe.serving)
    folder = home.exports / wanted.name / made.version[:VERSION_DIGITS]
    asked = _asked(wanted, kinds)
    recover(home.exports, wanted.name, folder.name)
    fresh = not _stands(folder, asked)
    if fresh:
        placed(home.exports, wanted.name, folder.name, partial(_write, wanted, kinds, made, context, asked))
    if pointed_by_build(home, wanted.name, folder.name, by_hand=False):
        point(folder.parent, folder.name)
        remember(home, wanted.name, folder.name)
    return ReleasedCurriculum(folder.name, folder, tuple(made.notes["stages"]), fresh)


def _gate_set(home: Home, made: Snapshot, name: str, kind: SetKind) -> None:
    """Raise `ReleaseRefused` where a set in it may not be released, or is another by now."""
    candidate, targets = home.store.head(name), set_targets(kind)
    if candidate.ref not in made.derivation.inputs:
        raise ReleaseRefused(
            f"{made.name} was made of another version of {name} than there is now. Run: flywheel build"
        )
    gate(candidate, verdicts(home, candidate, targets), targets)


def _asked(wanted: Curriculum, kinds: Mapping[str, SetKind]) -> str:
    """Hash of what decides how the rows are written."""
    formats = [[format_versions(kinds[s.set]), str(kinds[s.set].template)] for s in wanted.stage]
    return short_hash(ENGINE, canonical(formats))


def _stands(folder: Path, asked: str) -> bool:
    """Whether this very release is there with all its bytes."""
    try:
        manifest = orjson.loads((folder / "manifest.json").read_bytes())
        return manifest["asked"] == asked and all(
            file_digest(folder / name) == f["sha256"] for name, f in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(
    wanted: Curriculum, kinds: Mapping[str, SetKind], made: Snapshot, context: ExportContext, asked: str, folder: Path
) -> None:
    """The files of every stage, and the manifest and card over them."""
    lines: dict[str, list[str]] = {}
    for n, stage in enumerate(wanted.stage, 1):
        told = made.notes["stages"][n - 1]
        part = replace(made, parts=parts_of_stage(made, n), notes=told)
        place = folder / f"stage_{n}"
        place.mkdir()
        kind = kinds[stage.set].model_copy(update={"name": f"{wanted.name}_stage_{n}"})
        manifest = render(kind, part, place, context).manifest
        lines |= {f"stage_{n}/{name}": ids for name, ids in manifest["lines"].items()}
    write_synced(folder / "README.md", _card(wanted, made).encode())
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    body = {
        "curriculum": wanted.name,
        "version": made.version[:VERSION_DIGITS],
        "snapshot": made.version,
        "recipe": {"name": context.recipe, "digest": context.recipe_digest},
        "engine": ENGINE,
        "asked": asked,
        "stages": made.notes["stages"],
        "inputs": [r.model_dump() for r in made.derivation.inputs],
        "checks": sorted((dict(v) for v in context.verdicts), key=canonical),
        "lines": lines,
        "files": {str(p.relative_to(folder)): {"sha256": file_digest(p)} for p in files},
    }
    write_synced(
        folder / "manifest.json", orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"
    )


def _card(wanted: Curriculum, made: Snapshot) -> str:
    """The stages in the order they are trained. Names are the recipe's; no text of a log is in it."""
    head = ["stage", "set", "kind", "rows", "train", "validation", "synthetic", "related"]
    rows = [
        [
            *(str(s[k]) for k in head[:3]),
            *(f"{s[k]:,}" for k in head[3:6]),
            f"{s['synthetic']:.1%}",
            ", ".join(f"{v:.3f} by {k}" for k, v in s["related"].items()) or "–",
        ]
        for s in made.notes["stages"]
    ]
    table = "\n".join("| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows])
    least = [
        f"- {s['stage']} holds {least['actual']:.1%} of {' + '.join(least['values'])} (`{least['axis']}`); at least {least['share']:.1%} is wanted."
        for s in made.notes["stages"]
        for least in s["least"]
    ]
    return (
        f"# {wanted.name}\n\nTrain on the stages in this order, each with its own folder and manifest.\n\n{table}\n"
        + ("\n" + "\n".join(least) + "\n" if least else "")
    )
