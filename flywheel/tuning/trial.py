"""A trial: the whole graph on a sample of the conversations, in an area of its own, before the real build is allowed.

    HOME/trial/            a home like any other: the sampled lines in `raw`, its own snapshots, exports and catalog
    HOME/trial/recipe.toml, pseudonym.key   links to those of the home: the very recipe, the very pseudonyms
    HOME/trial/sample.json what marks it as a trial, and how many conversations it holds
    HOME/trial.json        the verdict: which recipe was tried, on how many conversations, and what came of it

Nothing else of the home is touched; both can be deleted at any time. The sample is the conversations with the smallest hash
of seed and name, with every line of theirs and the feedback that speaks of them: another order or split of the files gives
the same rows.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from flywheel.choices.mix import stable_order
from flywheel.coverage.targets import of_set
from flywheel.errors import FlywheelError, Untried
from flywheel.kinds import Threshold, Unjudged
from flywheel.lineage import ENGINE, Tables
from flywheel.logs.raw import RawFile, RawStore, lines
from flywheel.quality.targets import NOT_IN_A_TRIAL
from flywheel.recipe import Recipe
from flywheel.storage.snapshots import StoredPart, replace_synced

if TYPE_CHECKING:
    from flywheel.home import Home

AREA, MARK, VERDICT = "trial", "sample.json", "trial.json"
LINKED = ("recipe.toml", "pseudonym.key")
PACKED = (".gz", ".zst", ".parquet")
BOM = b"\xef\xbb\xbf"

OF_SIZE: Mapping[str, tuple[str, ...]] = {
    "conversations": ("ids_mean_one_thing", "no_call_dominates"),
    "labels": ("feedback_is_fresh", "feedback_finds_its_call"),
    "curated": ("logs_repeat_little", "no_prompt_dominates"),
    "conflicts": ("answers_agree",),
    "review": ("queue_is_short",),
    "set": (
        "set_is_not_empty",
        "set_is_large_enough",
        "mix_meets_target",
        "every_share_meets_target",
        "every_cell_is_covered",
        "validation_is_large_enough",
        "people_have_looked",
        "enough_was_looked_at",
        "labels_are_agreed_with",
    ),
}
"""Checks whose number depends on how many rows there are, or on rows that are not in the sample: a trial cannot judge them.

Copies and contradictions of a sampled row are mostly not in the sample, so few of them there say nothing."""

UNJUDGED = Unjudged(severity="off")


# --- the sample


@dataclass(frozen=True, slots=True)
class Sample:
    """The lines of a sample."""

    lines: pl.DataFrame
    """`file`, `line`, `offset`, `length`: where they lie, in the order of files and lines."""
    conversations: int
    """How many conversations they belong to."""
    of: int
    """How many there are."""


def sample(home: "Home", size: int, seed: int) -> Sample:
    """The lines of `size` conversations and of the feedback on them, and as many of the unreadable lines as are their share.

    Reads slim columns of what `ingest` stored; a file that was never read is read now, and kept nowhere.
    """
    calls, events, bad = _index(home)
    names = calls.select("key").unique().sort("key")
    ranked = names.with_columns(stable_order(names["key"], f"trial:{seed}")).sort("order", "key").head(size)
    mine = calls.join(ranked, on="key", how="semi")
    spoken = pl.concat(
        [mine.select(name=c) for c in ("native_id", "response_id", "id", "conversation_id")]
    ).drop_nulls()
    heard = events.explode("target").join(spoken.unique(), left_on="target", right_on="name", how="semi")
    broken = bad.with_columns(stable_order(bad["key"], f"trial:{seed}")).sort("order", "key")
    # Where no line can be read there is no share to keep to.
    broken = broken.filter(pl.col("order") <= ranked["order"].max()) if ranked.height else broken.head(size)
    found = pl.concat([f.select("file", "line", "offset", "length") for f in (mine, heard, broken)])
    return Sample(found.unique().sort("file", "line"), ranked.height, names.height)


def _index(home: "Home") -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Slim columns of every line: of calls (`key` of their conversation, and their names), of events, and of those unreadable."""
    from flywheel.stages import ingest

    place = pl.col("raw").list.first().struct
    at = [place.field(c) for c in ("file", "line", "offset", "length")]
    native = pl.concat_str("source", "native_id", separator=":")
    # Halves of one call are told by its name: only one of them may say which conversation it is of.
    key = pl.when(pl.col("half").is_null()).then(pl.coalesce("conversation_id", native)).otherwise(native)
    found: dict[str, list[pl.DataFrame]] = {"calls": [], "events": [], "bad": []}
    for part in ingest.read_files(home.raw, home.secret).parts:
        stored = home.store.stored(part.name, part.key)
        tables = stored if stored is not None else part.make()
        calls = _scan(tables, "conversations").select("id", "native_id", "response_id", "conversation_id", *at, key=key)
        targets = pl.concat_list(
            pl.concat_list("target_id", "chosen_id"), pl.col("others").fill_null([])
        ).list.drop_nulls()
        events = _scan(tables, "feedback").select(*at, target=targets)
        bad = _scan(tables, "quarantine").select(
            "file", "line", "offset", length=pl.col("raw").bin.size().cast(pl.Int64),
            key=pl.format("line {} of {}", "line", "file"),
        )  # fmt: skip
        for name, frame in (("calls", calls), ("events", events), ("bad", bad)):
            found[name].append(frame.collect())
    if not found["calls"]:
        raise FlywheelError(
            f"there is nothing to try: no log file has come to {home.path} yet. Run: flywheel ingest FILE --home {home.path}"
        )
    calls_made, events_made, bad_made = (pl.concat(frames) for frames in found.values())
    return calls_made, events_made, bad_made


def _scan(tables: StoredPart | Tables, table: str) -> pl.LazyFrame:
    return tables.scan(table) if isinstance(tables, StoredPart) else tables[table].lazy()


def _bytes(file: RawFile, wanted: pl.DataFrame) -> Iterator[bytes]:
    """The lines of one raw file that lie at the places wanted, in order; a plain file is not read in between."""
    if file.path.suffix.lower() in PACKED:
        numbers = set(wanted["line"].to_list())
        yield from (line.data for line in lines(file.path) if line.number in numbers)
        return
    with file.path.open("rb") as data:
        for offset, length in wanted.select("offset", "length").iter_rows():
            data.seek(offset)
            line = data.read(length)
            yield line.removeprefix(BOM) if offset == 0 else line


# --- the area


def prepare(home: "Home", size: int) -> "Home":
    """The area of a new trial, as a home that holds the sample. The one before it is deleted."""
    from flywheel.home import Home

    home.recipe()
    chosen = sample(home, size, home.recipe().seed)
    area = home.path / AREA
    shutil.rmtree(area, ignore_errors=True)
    area.mkdir()
    for name in LINKED:
        (area / name).symlink_to(Path("..") / name)
    made = Home.create(area)
    marks = {"conversations": chosen.conversations, "of": chosen.of, "size": size}
    replace_synced(area / MARK, orjson.dumps(marks, option=orjson.OPT_SORT_KEYS))
    _lay(home.raw.files(), chosen.lines, made.raw, area / "inbox")
    return made


def _lay(files: Iterable[RawFile], wanted: pl.DataFrame, raw: RawStore, aside: Path) -> None:
    """Keep the sampled lines of each file as a raw file of the trial, in the order of arrival."""
    for file in files:
        here = wanted.filter(pl.col("file") == file.digest)
        if here.is_empty():
            continue
        staged = aside / f"{file.last_name.partition('.')[0] or 'file'}.jsonl"
        with staged.open("wb") as out:
            out.writelines(line + b"\n" for line in _bytes(file, here))
        raw.keep(staged, f"{file.name.rpartition('/')[0]}/{staged.name}")
        staged.unlink()


def size_of(area: Path) -> int | None:
    """How many conversations the trial in this folder was asked for; None where it holds no trial."""
    try:
        return int(orjson.loads((area / MARK).read_bytes())["size"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def on_trial(recipe: Recipe, size: int) -> Recipe:
    """The recipe as it is judged on a sample: sets are at most so large, and the checks that depend on size are not judged."""
    bounds = {
        asset: _unjudged(recipe.check.get(asset, {}), names) for asset, names in OF_SIZE.items() if asset != "set"
    }
    sets = tuple(
        wanted.model_copy(
            update={
                "examples": min(wanted.examples or size, size),
                "check": _unjudged(
                    wanted.check, [*OF_SIZE["set"], *(t.name for t in of_set(wanted.name, wanted.coverage))]
                ),
            }
        )
        for wanted in recipe.set
    )
    # A sample has too few rows for stages; the sets they are made of are tried.
    return recipe.model_copy(update={"set": sets, "curriculum": (), "check": {**recipe.check, **bounds}})


def _unjudged(bounds: Mapping[str, Threshold], names: Sequence[str]) -> dict[str, Threshold]:
    """The bounds with these checks not judged; what the recipe declares off stays declared off."""
    return {
        **dict.fromkeys(names, UNJUDGED),
        **{n: b for n, b in bounds.items() if n not in names or b.severity == "off"},
    }


# --- the verdict


def conclude(home: "Home", area: "Home", result: Mapping[str, Any]) -> dict[str, Any]:
    """Write the verdict down and return it. A set without any example was not tried, so it does not pass.

    It holds nothing that tells when it was made: the same recipe on the same logs gives the same bytes.
    """
    marks = orjson.loads((area.path / MARK).read_bytes())
    empty = [s["name"] for s in result["sets"] if not s["rows"]]
    faults = [
        f"{c['asset']} · {c['name']}: {c['summary']}" for c in result["checks"] if c["blocking"] and not c["passed"]
    ]
    faults += [f"{e['step']}: {e['error']}" if e["step"] else e["error"] for e in result["errors"]]
    faults += [
        f"the sample made no example of the set {name}, so nothing of it was tried. Try more conversations than {marks['size']:,}."
        for name in empty
    ]
    verdict = {
        "recipe": home.recipe().digest,
        "engine": ENGINE,
        "passed": bool(result["success"]) and not faults,
        "faults": faults,
        "not_judged": sorted(f"{c['asset']} · {c['name']}" for c in result["checks"] if _unsaid(c)),
        **marks,
    }
    replace_synced(home.path / VERDICT, orjson.dumps(verdict, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
    return verdict


def _unsaid(check: Mapping[str, Any]) -> bool:
    """Whether a check is off for the trial, and not because the recipe declares it so."""
    return check["severity"] == "off" and str(check["summary"]).lower().startswith(NOT_IN_A_TRIAL)


def verdict_of(home: "Home") -> dict[str, Any] | None:
    """The verdict of the last trial, whatever recipe it tried; None where there is none that can be read."""
    try:
        told: dict[str, Any] = orjson.loads((home.path / VERDICT).read_bytes())
    except (OSError, ValueError):
        return None
    return told if {"recipe", "engine", "passed", "faults", "size"} <= told.keys() else None


def refuse_untried(home: "Home", recipe: Recipe) -> None:
    """Raise `Untried` where the recipe demands a trial and none of this very recipe, of that size or larger, has passed."""
    wanted = recipe.build.trial
    if wanted is None or size_of(home.path) is not None:
        return
    told = verdict_of(home)
    run = f"Run: flywheel build --trial {wanted} --home {home.path}"
    demand = f"the recipe demands a passed trial of {wanted:,} conversations before a full build"
    if told is None:
        raise Untried(f"{demand}, and none was made. {run}")
    if told["recipe"] != recipe.digest or told["engine"] != ENGINE:
        raise Untried(f"{demand}, and the last trial was of another recipe or engine. {run}")
    if not told["passed"]:
        raise Untried(
            f"{demand}, and it failed: {told['faults'][0] if told['faults'] else 'see trial.json'} Mend that. {run}"
        )
    if told["size"] < wanted:
        raise Untried(f"{demand}, and the last trial was of {told['size']:,}. {run}")
