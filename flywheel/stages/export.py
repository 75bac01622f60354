"""Export: a judged candidate becomes files that a trainer reads, with a manifest and a card, and `current` is moved to them.

    exports/SET/VERSION/train.jsonl, validation.jsonl   the first format of the recipe
    exports/SET/VERSION/FORMAT/…                        each further format
    exports/SET/VERSION/rows.parquet                    every column of every example, and the line it lies on
    exports/SET/VERSION/selection.parquet               of a set with a selection: every example, kept or not, with its score
    exports/SET/VERSION/manifest.json, README.md        what went in, what came out, how
    exports/SET/VERSION/croissant.json                  the same for dataset tools: Croissant 1.1
    exports/SET/current -> VERSION                      the released version

Everything is written aside, read back, synced and renamed. No file holds the time it was made: the same candidate and
recipe give the same bytes.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import polars as pl

from flywheel.coverage.covered import coverage_of
from flywheel.errors import FlywheelError, ReleaseRefused
from flywheel.exports import EXPORTS, formats
from flywheel.formats.card import ABOUT, card
from flywheel.formats.chat_templates import TemplateInvalid
from flywheel.formats.croissant import NAME as CROISSANT
from flywheel.formats.croissant import croissant
from flywheel.formats.limits import file_remarks
from flywheel.formats.mask_proof import FAULTS, Proof, prove
from flywheel.formats.not_carried import NotCarried, told_of
from flywheel.formats.rendering import SPLITS, Written, read_back, write_formats
from flywheel.formats.serving import fingerprint
from flywheel.kinds import Export, SetKind
from flywheel.lineage import ENGINE, Derivation, SnapshotRef
from flywheel.quality.loop import axes_of
from flywheel.quality.targets import Target
from flywheel.quality.training import LEARNED
from flywheel.quality.waterfall import waterfall
from flywheel.quantity.economics import Serving, worth
from flywheel.quantity.tokens_of_sets import tokens_of
from flywheel.records import canonical
from flywheel.rights.clearance import told
from flywheel.storage.earlier import ROWS, Earlier, earlier, rendering
from flywheel.storage.snapshots import Snapshot, Store, exchanged, file_digest, sync, write_synced

if TYPE_CHECKING:
    from flywheel.home import Home

SELECTED = "selection.parquet"
VERSION_DIGITS = 12
TOLD_AGAIN = ("looked_at", "guidelines")
"""Notes that change while the rows stay the same: a release is written again with them."""
Verdict = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExportContext:
    """What a release says of itself beyond its own rows."""

    recipe: str = ""
    """Name of the recipe."""
    recipe_digest: str = ""
    verdicts: Sequence[Verdict] = ()
    """name, passed, severity, blocking, summary of each check, of this very candidate."""
    chain: Sequence[Snapshot] = ()
    """Every snapshot the candidate derives from, at any depth."""
    rights: Mapping[str, Any] | None = None
    """`purpose` and `table` (rows of RIGHTS), where the recipe registers sources or declares a purpose."""
    axes: Mapping[str, Mapping[str, float]] | None = None
    """Axis -> value -> share, where the recipe has a policy on the loop: what the next turns are held against."""
    proof: Proof | None = None
    """What was proved of this very candidate's mask under the format of its set, where that was done already."""
    pointed: bool = True
    """Whether `current` moves to it."""
    results: Sequence[Mapping[str, Any]] = ()
    """What models trained on this very version scored; see `results.table`."""
    serving: Serving | None = None
    """What is served and at which price, where the recipe says so."""
    coverage: Sequence[Mapping[str, Any]] = ()
    """Lines of the coverage of this very candidate (MATRIX), where the set shall cover something."""
    before: Callable[[Mapping[str, Export]], Earlier | None] | None = None
    """Reads the release before, whose lines are taken where they are the same."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a set that lies in the export folder."""

    set: str
    kind: str
    version: str
    """The first twelve hex digits of the candidate's version."""
    path: Path
    counts: Mapping[str, int]
    """Examples in each split, by the first format."""
    files: Mapping[str, int]
    """Each data file and its lines."""
    refused: Mapping[str, int]
    """Format -> examples it could not hold."""
    readers: Mapping[str, str]
    """Data file -> who read it back."""
    remarks: Sequence[str]
    """Sentences for people: files smaller than a service takes, examples refused."""
    fresh: bool
    """Whether anything was written; false when this very release was there already."""


# --- the gate


def may_release(verdicts: Sequence[Verdict], targets: Sequence[Target]) -> list[str]:
    """Reasons why a candidate may not be released; empty when it may.

    Every blocking target needs a verdict that passed. A blocking verdict that failed counts even if no target names it.
    """
    by_name = {str(v["name"]): v for v in verdicts}
    missing = [
        f"{t.name} has no verdict for this version; run: flywheel build."
        for t in targets
        if t.blocking and t.name not in by_name
    ]
    blocking = {t.name for t in targets if t.blocking} | {n for n, v in by_name.items() if v.get("blocking")}
    failed = [
        f"{n} failed: {by_name[n].get('summary', '')}"
        for n in by_name
        if n in blocking and by_name[n].get("passed") is not True
    ]
    return missing + failed


def gate(candidate: Snapshot, verdicts: Sequence[Verdict], targets: Sequence[Target]) -> None:
    """Raise `ReleaseRefused`, with every reason, where `may_release` gives one."""
    if reasons := may_release(verdicts, targets):
        raise ReleaseRefused(
            f"{candidate.name} {candidate.version[:VERSION_DIGITS]} is not released: " + " ".join(reasons)
        )


# --- releasing


def export(
    home: "Home",
    wanted: SetKind,
    candidate: Snapshot,
    verdicts: Sequence[Verdict],
    proof: Proof | None = None,
    pointed: bool = True,
    results: Sequence[Mapping[str, Any]] = (),
) -> Release:
    """Release a candidate that passed the gate into the export folder of its home. `proof`, `pointed`, `results`: see
    `ExportContext`."""
    recipe = home.recipe()
    chain = ancestry(home.store, candidate)
    rights, axes = told(home.store, candidate, recipe.rights), None
    if recipe.loop:
        axes = axes_of(candidate, home.store.head("curated"), recipe.loop.axes)
    before = partial(earlier, current(home.exports / wanted.name), home.store, wanted.name)
    further = (recipe.serving, coverage_of(home.store, candidate), before)
    context = ExportContext(
        recipe.name, recipe.digest, verdicts, chain, rights, axes, proof, pointed, results, *further
    )
    return release(wanted, candidate, home.exports, context)


def release(wanted: SetKind, candidate: Snapshot, target_root: Path, context: ExportContext) -> Release:
    """Write a candidate's files, read them back, and point `current` at them.

    A released version is not written again: when it stands with all its bytes, only the pointer is moved where it differs. Raises `ExportInvalid` when a written file is refused by its reader; the release before stays.
    """
    home_of_set = target_root / wanted.name
    folder = home_of_set / candidate.version[:VERSION_DIGITS]
    recover(target_root, wanted.name, folder.name)
    if (known := standing(folder, wanted, candidate)) is not None:
        if context.pointed:
            point(home_of_set, folder.name)
        return _told(wanted, folder, Rendered(known, {}, ()), fresh=False)
    made = placed(target_root, wanted.name, folder.name, partial(render, wanted, candidate, context=context))
    if context.pointed:
        point(home_of_set, folder.name)
    return _told(wanted, folder, made, fresh=True)


def placed(target_root: Path, name: str, version: str, write: Callable[[Path], T]) -> T:
    """Have a version written aside, synced, and put in its place in the export folder, in place of what is there. What `write` says."""
    staging = target_root / ".staging" / name
    staged = staging / version
    staged.mkdir(parents=True)
    try:
        made = write(staged)
        (target_root / name).mkdir(parents=True, exist_ok=True)
        _sync_tree(staged)
        _swap(staged, target_root / name / version, staging / REPLACED)
        sync(target_root / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return made


def _told(wanted: SetKind, folder: Path, made: "Rendered", fresh: bool) -> Release:
    return Release(
        set=wanted.name,
        kind=wanted.use,
        version=folder.name,
        path=folder,
        counts=made.manifest["counts"],
        files={name: len(ids) for name, ids in made.manifest["lines"].items()},
        refused={form: len(ids) for form, ids in made.manifest["refused"].items()},
        readers=made.readers,
        remarks=made.remarks,
        fresh=fresh,
    )


def standing(folder: Path, wanted: SetKind, candidate: Snapshot) -> dict[str, Any] | None:
    """The manifest of the release in this folder, if it holds what is wanted now and every file has its bytes; else None.

    The folder is named by the candidate's content. How it came about (another recipe, other upstream versions with the same
    rows) may differ by now: what was released first stands as it was written, until people have looked at more of it, or what they label by is
    another text.
    """
    try:
        manifest: dict[str, Any] = orjson.loads((folder / "manifest.json").read_bytes())
        asked = [manifest[k] for k in ("formats", "format_versions", "engine")]
        same = asked == [list(wanted.export), format_versions(wanted), ENGINE]
        same = same and all(manifest["notes"].get(k) == candidate.notes.get(k) for k in TOLD_AGAIN)
        same = same and (manifest.get("template") or {}).get("digest") == format_digest(wanted)
        whole = (
            all(file_digest(folder / name) == f["sha256"] for name, f in manifest["files"].items()) if same else False
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return manifest if whole else None


def format_versions(wanted: SetKind) -> dict[str, int]:
    """Each format of a set and the version of its rules."""
    return {use: EXPORTS[use].version for use in wanted.export}


def point(folder: Path, version: str) -> None:
    """Make `folder/current` point at a version in one step: a reader sees the old release or the new, never none."""
    link, aside = folder / "current", folder / ".current"
    if link.is_symlink() and os.readlink(link) == version:
        return
    aside.unlink(missing_ok=True)
    aside.symlink_to(version, target_is_directory=True)
    os.replace(aside, link)
    sync(folder)


def current(folder: Path) -> Path | None:
    """The released version in the export folder of a set, or None when nothing was released."""
    link = folder / "current"
    return folder / os.readlink(link) if link.is_symlink() and link.exists() else None


def damaged(folder: Path) -> list[str]:
    """Files of the released version of a set that are missing or no longer have the bytes of the manifest.

    The manifest itself is named where it cannot be read, and `current` where nothing is released: both fail closed.
    """
    version = current(folder)
    return ["current"] if version is None else damaged_in(version)


def damaged_in(version: Path) -> list[str]:
    """Files of one released version that are missing or no longer have the bytes of its manifest; or the manifest itself."""
    try:
        files = orjson.loads((version / "manifest.json").read_bytes())["files"]
        return [
            n
            for n, f in sorted(files.items())
            if not (version / n).is_file() or file_digest(version / n) != f["sha256"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ["manifest.json"]


def released_files(folder: Path) -> list[str]:
    """Names of the files the manifest of the released version lists; empty where there is none to read."""
    try:
        return sorted(orjson.loads((folder / "current" / "manifest.json").read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def ancestry(store: Store, candidate: Snapshot) -> list[Snapshot]:
    """Every snapshot a candidate derives from, nearest first, each once, found by the versions its derivation names."""
    found: dict[SnapshotRef, Snapshot] = {}
    ahead = list(candidate.derivation.inputs)
    while ahead:
        ref = ahead.pop(0)
        if ref in found or store.head_key(ref.name) is None:  # a raw file is an input, and no snapshot
            continue
        newest = store.head(ref.name)
        snapshot = newest if newest.version == ref.version else store.find(ref.name, ref.version)
        if snapshot is not None:
            found[ref] = snapshot
            ahead += snapshot.derivation.inputs
    return list(found.values())


REPLACED = "replaced"


def recover(target_root: Path, name: str, version: str) -> None:
    """Clear away what a killed run left, and put back a release it had set aside. The home's lock keeps others out."""
    staging, folder = target_root / ".staging" / name, target_root / name / version
    if (aside := staging / REPLACED).exists() and not folder.exists():
        aside.rename(folder)
    shutil.rmtree(staging, ignore_errors=True)


def _swap(staged: Path, folder: Path, aside: Path) -> None:
    """Put the staged release in place of the one that is there, in one step where the system can; or leave that one."""
    if folder.exists():
        if exchanged(staged, folder):
            return
        folder.rename(aside)
    try:
        staged.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        sync(path)


# --- writing


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `render` wrote: the manifest, and what is not part of it because it depends on what is installed."""

    manifest: dict[str, Any]
    readers: Mapping[str, str]
    remarks: Sequence[str]


def render(wanted: SetKind, candidate: Snapshot, folder: Path, context: ExportContext) -> Rendered:
    """Write everything of a version into an empty folder and have each data file read back by its format's reader."""
    forms = formats(wanted.export)
    before = context.before(forms) if context.before is not None else None
    written = write_formats(forms, wanted.name, candidate, folder, before)
    readers = read_back(forms, written, folder)
    not_carried = told_of({use: w.not_carried for use, w in written.items()})
    write_rows(candidate, _first(written), not_carried, folder / ROWS)
    chosen = write_selection(candidate, folder / SELECTED)
    manifest = _manifest(wanted, candidate, context, written) | {"rendering": rendering(forms)}
    manifest["tokens"] = tokens_of(wanted, candidate, next((c for c in context.chain if c.name == "curated"), None))
    if context.serving is not None:
        manifest["economics"] = worth(manifest["tokens"], context.serving)
    if (proved := proof(wanted, candidate, context.proof)) is not None:
        manifest["template"] = proved
    known = facts(candidate, context) | {"coverage": context.coverage}
    write_synced(folder / "README.md", card(manifest, known).encode())
    for place, (use, form) in enumerate(forms.items()):
        form.validate_folder(folder if place == 0 else folder / use, written[use].filled)
    manifest["files"] = {
        name: {"sha256": file_digest(folder / name), "lines": len(ids)}
        for w in written.values()
        for name, ids in w.lines.items()
    } | {
        name: {"sha256": file_digest(folder / name)}
        for name in ("README.md", ROWS, *chosen, *(c for w in written.values() for c in w.companions))
    }
    describe(manifest, known, folder)
    write_synced(
        folder / "manifest.json", orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"
    )
    return Rendered(manifest, readers, _remarks(forms, written))


def describe(manifest: dict[str, Any], known: Mapping[str, Any], folder: Path) -> None:
    """Write the Croissant description of the files beside it, and name it in the manifest."""
    columns = pl.scan_parquet(folder / ROWS, glob=False).collect_schema()
    told = croissant(manifest, known, columns, ABOUT.get(manifest["kind"], ""))
    write_synced(folder / CROISSANT, orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    manifest["files"][CROISSANT] = {"sha256": file_digest(folder / CROISSANT)}


def format_digest(wanted: SetKind) -> str | None:
    """Digest of the template and tokenizer that a set names; None where it names none, or what cannot be used."""
    try:
        read = wanted.chat_format()
    except FlywheelError:
        return "cannot be used"
    return read.digest if read is not None else None


def proof(wanted: SetKind, candidate: Snapshot, known: Proof | None = None) -> dict[str, Any] | None:
    """What the manifest says of the template: its digest and the tokenizer's, and what was proved of the loss mask in tokens.

    Raises `TemplateInvalid`, naming the template, where it would train on the wrong part of an example and the recipe has not
    made that a mere warning.
    """
    if (read := wanted.chat_format()) is None:
        return None
    done = known or prove(candidate, read)
    bound = wanted.check.get(LEARNED.name)
    if done.faults and (bound is None or bound.severity in (None, "error")):
        code = max(done.faults, key=lambda c: (done.faults[c], c))
        raise TemplateInvalid(
            f"the template {read.template.name} trains wrongly on {done.faults[code]:,} of {done.examples:,} examples, such as "
            f"{done.shown[code][0]}: {FAULTS[code]}."
        )
    return {
        "name": read.template.name,
        "digest": read.digest,
        "template_sha256": read.template.digest,
        "end_of_turn": read.template.ending,
        "tokenizer": read.tokenizer.name,
        "tokenizer_sha256": read.tokenizer.digest,
        "max_tokens": read.max_tokens,
        "probe": fingerprint(read)["prompt"],
        "mask": done.told(),
    }


def write_rows(candidate: Snapshot, first: Written, told: pl.DataFrame, path: Path) -> None:
    """Every column of every example, `line`: its line, from 1, in its split's file of the first format, null if refused; and what
    formats `refused` or `lost` of it (see `told_of`)."""
    placed = [(i, n) for ids in first.lines.values() for n, i in enumerate(ids, 1)]
    numbers = pl.DataFrame(placed, schema={"id": pl.String, "line": pl.Int64}, orient="row")
    rows = candidate.scan().join(numbers.lazy(), on="id", how="left", maintain_order="left")
    rows = rows.join(told.lazy(), on="id", how="left", maintain_order="left")
    rows.collect().write_parquet(path, compression="zstd", statistics=True)


def write_selection(candidate: Snapshot, path: Path) -> list[str]:
    """What the selection said of each example, kept or not, with its score; the names of the files written."""
    if "selection" not in candidate.schemas:
        return []
    candidate.scan("selection").collect().write_parquet(path, compression="zstd", statistics=True)
    return [path.name]


def _first(written: Mapping[str, Written]) -> Written:
    """What was written of the first format, which lies at the top of the folder."""
    return next(iter(written.values()), Written({}, NotCarried(), (), {}))


def _manifest(
    wanted: SetKind, candidate: Snapshot, context: ExportContext, written: Mapping[str, Written]
) -> dict[str, Any]:
    """Everything the manifest says, but for the digests of the files."""
    first = _first(written)
    made = {s: len(first.lines.get(first.filled.get(s, ""), [])) for s in SPLITS}
    raw = next((s for s in context.chain if s.name == "raw_files"), None)
    return {
        "set": wanted.name,
        "kind": wanted.use,
        "version": candidate.version[:VERSION_DIGITS],
        "snapshot": candidate.version,
        "recipe": {"name": context.recipe, "digest": context.recipe_digest},
        "engine": ENGINE,
        "formats": list(written),
        "format_versions": format_versions(wanted),
        "inputs": [r.model_dump() for r in candidate.derivation.inputs],
        "raw_files": sorted({p.name.partition("-")[0] for p in raw.parts}) if raw else [],
        "derivation": [
            {"name": s.name, "version": s.version, **_cause(s.derivation)} for s in (candidate, *context.chain)
        ],
        "checks": sorted((dict(v) for v in context.verdicts), key=canonical),
        "counts": made,
        "notes": dict(candidate.notes),
        **({"rights": dict(context.rights)} if context.rights else {}),
        **({"axes": context.axes} if context.axes is not None else {}),
        "lines": {name: ids for w in written.values() for name, ids in w.lines.items()},
        "losses": {
            use: {what: asdict(lost) for what, lost in w.losses.items()} for use, w in written.items() if w.losses
        },
        "refused": {use: no for use, w in written.items() if (no := w.not_carried.refused)},
    }


def _cause(derivation: Derivation) -> dict[str, Any]:
    """A derivation as the manifest tells it: without the order in which files happened to arrive."""
    told = derivation.model_dump(mode="json")
    told["inputs"] = sorted(told["inputs"], key=canonical)
    told["steps"] = [step for step in told["steps"] if step["use"] != "arrivals"]
    return told


def facts(candidate: Snapshot, context: ExportContext) -> dict[str, Any]:
    """What the card says of the conversations behind a set: sources, models, languages, first and last day, and what each
    filter left out."""
    by_name = {s.name: s for s in context.chain}
    pool = by_name.get("curated")
    if pool is None:
        return {"results": context.results}
    parents = candidate.scan().select(id="parents").explode("id").unique()
    have = pool.schemas["rows"]
    told = pool.scan().select(c for c in ("id", "source", "model", "language", "day") if c in have)
    rows = told.join(parents, on="id", how="semi").collect()
    counted = {
        c: dict(rows[c].drop_nulls().value_counts().sort(["count", c], descending=[True, False]).iter_rows())
        for c in ("source", "model", "language")
        if c in rows.columns
    }
    first, last = rows["day"].min(), rows["day"].max()
    steps = waterfall(*[by_name[name] for name in ("screened", "curated") if name in by_name])
    days = {"first_day": str(first or ""), "last_day": str(last or "")}
    return counted | days | {"waterfall": steps, "results": context.results}


def _remarks(formats: Mapping[str, Export], written: Mapping[str, Written]) -> list[str]:
    """Sentences about what is valid and yet worth knowing."""
    said = []
    for place, (use, w) in enumerate(written.items()):
        train = ("" if place == 0 else f"{use}/") + formats[use].file("train")
        said += file_remarks(use, train, len(w.lines[train]))
        if no := w.not_carried.refused:
            said.append(f"{use} cannot hold {len(no):,} examples; they are listed in manifest.json under refused.")
    return said
