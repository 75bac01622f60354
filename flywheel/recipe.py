"""The recipe: the user's whole wish, read from one TOML file and validated before anything runs."""

import keyword
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl
from pydantic import BaseModel, Field, ValidationError

from flywheel.audit.openlineage import OpenLineage
from flywheel.choices.active import BATCHES, AnyBatch, Batch
from flywheel.choices.curriculum import Curriculum
from flywheel.choices.selection import SELECTIONS
from flywheel.choices.wishes import curriculum_faults, follow_faults, review_faults, select_faults, share_faults
from flywheel.coverage.wanted import AUTHOR, SUFFIX, Wanted
from flywheel.coverage.wanted import faults as coverage_faults
from flywheel.edits import EDITS, AnyEdit
from flywheel.errors import RecipeInvalid, nearest
from flywheel.exports import EXPORTS
from flywheel.filters import FILTERS, AnyFilter, of_policy
from flywheel.filters.behaviour import Behaviour
from flywheel.kinds import Edit, Filter, Redaction, SetKind, Signal, Threshold
from flywheel.labels import LABEL_COLUMNS, LABELS, FeedbackPolicy
from flywheel.protection.policy import Policy
from flywheel.quality import looked_at, targets
from flywheel.quality.declared import LEAKS, PARAPHRASES, judged_where_declared
from flywheel.quality.guidelines import Guideline, repeated
from flywheel.quality.loop import Loop
from flywheel.quality.served_prompts import Tuned
from flywheel.quality.training import unprovable
from flywheel.quality.traits import Trait
from flywheel.quantity.economics import Serving
from flywheel.records import CONVERSATIONS, ORIGINS, SLIM, canonical, short_hash
from flywheel.rights.registry import Purpose, RegisteredSource, Registry, TeacherTerms
from flywheel.sets import SETS, AnySet
from flywheel.signals import SIGNALS, AnySignal
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.benchmark_similarity import BenchmarkSimilarity
from flywheel.signals.person import Person


class Curate(BaseModel, frozen=True, extra="forbid"):
    """Which copy of a duplicate group stays, and how much a row may have in common with others."""

    keep: Literal["best_feedback", "newest", "longest"] = "best_feedback"
    max_passage_share: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Share of a reply that may be passages which better rows hold; without it, any."""
    max_anomaly: float | None = Field(default=None, gt=0.0)
    """Score of the signal anomaly above which a row is left out; without it, none is."""
    semantic: bool = False
    """Rows that mean the same are copies, too, as the signal semantic_duplicate has it."""


class Build(BaseModel, frozen=True, extra="forbid"):
    """What must be so before everything is built."""

    trial: int | None = Field(default=None, ge=1)
    """Conversations of a trial of this very recipe that must have passed before a full build."""


class Recipe(BaseModel, frozen=True, extra="forbid"):
    """One file says what is wanted. Nothing else tunes the result."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    seed: int = 0
    """All sampling sorts by a hash of this and the row's id."""
    feedback: FeedbackPolicy = FeedbackPolicy()
    build: Build = Build()
    curate: Curate = Curate()
    policy: Policy = Policy()
    purpose: Purpose | None = None
    """What the sets are for; without it licences and terms are told, and not judged."""
    loop: Loop | None = None
    """The policy on synthetic rows and on turns of the wheel; without it its checks say that it is undeclared."""
    source: tuple[RegisteredSource, ...] = ()
    """Where rows come from, under which licence."""
    teacher: tuple[TeacherTerms, ...] = ()
    """What the makers of models allow, where it is another than the bundled list says."""
    signal: tuple[AnySignal, ...] = ()
    """Signals with other parameters than the default, and those measured only on request; every other one is measured in any case."""
    edit: tuple[AnyEdit, ...] = ()
    filter: tuple[AnyFilter, ...] = ()
    behaviour: tuple[Behaviour, ...] = ()
    """Behaviours to be unlearned: named rules whose matches are left out, each a check, and counter-examples asked for."""
    trait: tuple[Trait, ...] = ()
    """Traits of one's own, each a check."""
    set: tuple[AnySet, ...] = ()
    tuned: tuple[Tuned, ...] = ()
    """Models in production that were trained on sets of this recipe; a check holds their new calls against the trained form."""
    review: tuple[AnyBatch, ...] = ()
    """Batches of rows that a person should look at next, because their answer teaches most."""
    curriculum: tuple[Curriculum, ...] = ()
    """Sets in ordered stages."""
    serving: Serving | None = None
    """What is served and what that costs, for what a set with shorter prompts saves."""
    guideline: tuple[Guideline, ...] = ()
    """What people and judges label by."""
    openlineage: OpenLineage | None = Field(default=None, exclude=True)
    """Where run events are sent, beside the file in the home. No part of the digest: no dataset is another for it."""
    check: dict[str, dict[str, Threshold]] = {}
    """asset -> check -> bound, for the checks that are not of one set."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal that is measured, with the recipe's parameters where it names some."""
        named = {s.use: s for s in self.signal}
        read = {column for op in (*self.filter, *self.behaviour) for column in op.needs}
        read |= {column for trait in self.trait for column in trait.where.reads}
        read |= {axis for wanted in self.set for axis in (*wanted.mix, *wanted.follow, *wanted.coverage.read)}
        read |= {column for wanted in self.curriculum for column in wanted.columns}
        asked = {use for use, cls in SIGNALS.items() if cls.when_read and not read.isdisjoint(cls.gives)}
        return tuple(
            (named.get(use) or cls(use=use)).after(self.edit, self.policy)
            for use, cls in SIGNALS.items()
            if use in named or use in asked or not cls.on_request
        )

    @property
    def overlap(self) -> BenchmarkOverlap:
        """The signal that looks for benchmarks; it has no files where the recipe names none."""
        return next(s for s in self.signals if isinstance(s, BenchmarkOverlap))

    @property
    def similarity(self) -> BenchmarkSimilarity | None:
        """The signal that looks for benchmarks said in other words, where the recipe asks for it."""
        return next((s for s in self.signals if isinstance(s, BenchmarkSimilarity)), None)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits, in the order they are applied."""
        return self.edit

    @property
    def redactions(self) -> tuple[Redaction, ...]:
        """The edits that remove personal data."""
        return tuple(e for e in self.edit if isinstance(e, Redaction))

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters, those of the policy too; their order does not matter, all are evaluated."""
        return (*self.filter, *self.behaviour, *of_policy(self.policy))

    @property
    def sets(self) -> tuple[SetKind, ...]:
        """The finetuning sets wanted."""
        return self.set

    @property
    def pilots(self) -> tuple[SetKind, ...]:
        """The sets that are pilots."""
        return tuple(s for s in self.set if s.pilot is not None)

    @property
    def has_conflicts(self) -> bool:
        """Whether there is the asset `conflicts`: it needs to know which rows ask the same."""
        return any(s.use == "same_question" for s in self.signal)

    def sealed(self, folder: Path, secret: bytes) -> "Recipe":
        """The same recipe with the pseudonyms of the people it names, here and in the files that lie in `folder`."""
        if not any(isinstance(s, Person) for s in self.signal):
            return self
        signals = tuple(s.sealed(folder, secret) if isinstance(s, Person) else s for s in self.signal)
        return self.model_copy(update={"signal": signals})

    @property
    def rights(self) -> Registry:
        """Sources, teachers and purpose."""
        return Registry(purpose=self.purpose, sources=self.source, teachers=self.teacher)

    @property
    def reviews(self) -> tuple[Batch, ...]:
        """The batches for the review queue."""
        return self.review

    @property
    def digest(self) -> str:
        """Hash of everything the recipe says of data."""
        return short_hash(canonical(self.model_dump(mode="json")))


def read_recipe(path: Path) -> Recipe:
    """Read and validate a recipe file.

    Raises `RecipeInvalid` with one line per fault: its path, what was found, what is allowed, and the nearest right word.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as e:
        raise RecipeInvalid(
            f"the recipe {path} cannot be read: {e.strerror}. Run: flywheel init {path.parent}"
        ) from None
    except UnicodeDecodeError as e:
        raise RecipeInvalid(f"the recipe {path} is not UTF-8 text (byte {e.start}). Save it as UTF-8.") from None
    recipe = parse_recipe(text, str(path))
    folder = path.resolve().parent  # the recipe of a trial is a link to that of its home
    moved = {
        "signal": tuple(s.located(folder) for s in recipe.signal),
        "set": tuple(s.located(folder) for s in recipe.set),
        "guideline": tuple(g.located(folder) for g in recipe.guideline),
    }
    recipe = recipe.model_copy(update=moved)
    recipe.overlap.read()
    if recipe.similarity:
        recipe.similarity.read()
    return recipe


def parse_recipe(text: str, where: str = "recipe.toml") -> Recipe:
    """Validate the text of a recipe. `where` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise RecipeInvalid(f"{where} is not valid TOML: {e}. Mend that line.") from None
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as e:
        raise RecipeInvalid(_sentences(where, e)) from None
    if faults := _faults(recipe):
        raise RecipeInvalid(f"{where} asks for what cannot be:\n" + "\n".join(f"  {f}" for f in faults))
    return judged_where_declared(recipe)


RESERVED = (
    *(a for a in targets.ASSETS if a not in ("set", "curriculum", "release")),
    "measurements",
    "matches",
    "catalog",
    "parts",
    "staging",
)
"""Names no set may have: other datasets and folders have them."""


def _faults(recipe: Recipe) -> list[str]:
    """What pydantic cannot see: columns nobody gives, shares that do not add up, names used twice, formats that do not fit."""
    given = {column: dtype for signal in recipe.signals for column, dtype in signal.gives.items()}
    types: dict[str, Any] = {**CONVERSATIONS, **LABELS, **given}
    known = [*SLIM, *LABEL_COLUMNS, *given]
    corpus = {column for signal in recipe.signals if signal.scope == "corpus" for column in signal.gives}
    alone = [c for c in known if c not in corpus]
    numbers = sorted(c for c in known if types[c].is_numeric() and c != "turn")
    axes = sorted(
        {"task"} | {c for c in known if types[c] in (pl.String, pl.Boolean, pl.Date) or types[c].is_integer()}
    )
    faults = []
    twice = Counter(column for signal in recipe.signals for column in signal.gives)
    faults += [
        f'signal: "{c}" is a column of {n} signals; give your own axis another name.' for c, n in twice.items() if n > 1
    ]
    for group in ("signal", "edit", "filter"):
        operators = recipe.filters if group == "filter" else getattr(recipe, group)
        uses = [op.reason if isinstance(op, Filter) else op.use for op in operators]
        faults += [
            f'{group}: "{u}" is there {uses.count(u)} times; expected once.'
            for u in sorted(set(uses))
            if uses.count(u) > 1
        ]
    for i, op in enumerate(recipe.filter):
        for column in op.needs:
            if column not in alone:
                faults.append(f'filter.{i}.{op.use} needs the column "{column}", {_nobody_gives(column, alone)}')
    for i, rule in enumerate(recipe.behaviour):
        for column in rule.needs:
            if column not in alone:
                faults.append(f'behaviour.{i}.{rule.name} needs the column "{column}", {_nobody_gives(column, alone)}')
    faults += [f"edit.{i}.{op.use}: {why}" for i, op in enumerate(recipe.edit) if (why := op.absent())]
    faults += _trait_faults(recipe, alone)
    faults += _benchmark_faults(recipe)
    if recipe.curate.max_passage_share is not None and "passage_share" not in given:
        faults.append(
            'curate.max_passage_share needs the signal shared_passages. Add it: [[signal]] use = "shared_passages".'
        )
    faults += [f"policy.{fault}" for fault in recipe.policy.faults()]
    faults += recipe.rights.faults()
    faults += repeated(recipe.guideline)
    if recipe.curate.max_anomaly is not None and "anomaly_score" not in given:
        faults.append('curate.max_anomaly needs the signal anomaly. Add it: [[signal]] use = "anomaly".')
    if recipe.curate.semantic and "semantic_group" not in given:
        faults.append(
            'curate.semantic needs the signal semantic_duplicate. Add it: [[signal]] use = "semantic_duplicate".'
        )
    names = [s.name for s in recipe.set]
    faults += [
        f'set: the name "{n}" is used {names.count(n)} times; give each set its own.'
        for n in sorted(set(names))
        if names.count(n) > 1
    ]
    for i, wanted in enumerate(recipe.set):
        faults += [f"set.{i}.{wanted.name}.{fault}" for fault in _set_faults(wanted, names, axes, numbers)]
        faults += [
            f"set.{i}.{wanted.name}.coverage: {fault}" for fault in _coverage_faults(recipe, wanted, types, known)
        ]
    faults += review_faults(recipe.review, axes, numbers)
    faults += [
        f'tuned.{i}.{t.model}: there is no set "{t.set}".{nearest(t.set, names)} Sets: {", ".join(names)}.'
        for i, t in enumerate(recipe.tuned)
        if t.set not in names
    ]
    faults += curriculum_faults(recipe.curriculum, names, [a for a in axes if a not in LABEL_COLUMNS], numbers)
    for i, stages in enumerate(recipe.curriculum):
        if stages.name in RESERVED or stages.name in names:
            faults.append(f'curriculum.{i}: the name "{stages.name}" is that of something else; choose another.')
        faults += [
            f"curriculum.{i}.{stages.name}.check{f}" for f in _check_faults(stages.check, targets.names("curriculum"))
        ]
    for asset, bounds in recipe.check.items():
        if asset in ("set", "curriculum"):
            faults.append(
                f"check.{asset}: bounds for it belong to each {asset}; write [{asset}.check.NAME] below its [[{asset}]]."
            )
        elif asset not in targets.ASSETS:
            assets = [a for a in targets.ASSETS if a not in ("set", "curriculum")]
            faults.append(f'check: there is no asset "{asset}".{nearest(asset, assets)} Assets: {", ".join(assets)}.')
        else:
            faults += [f"check.{asset}{fault}" for fault in _check_faults(bounds, targets.names(asset))]
    return faults


def _trait_faults(recipe: Recipe, given: Sequence[str]) -> Iterator[str]:
    """Traits that read what nobody gives, or have the name of another check of their dataset."""
    names = [(t.of, t.name) for t in recipe.trait]
    for i, trait in enumerate(recipe.trait):
        for column in trait.where.reads:
            if column not in given:
                yield f'trait.{i}.{trait.name} needs the column "{column}", {_nobody_gives(column, given)}'
        if trait.name in targets.names(trait.of) or names.count((trait.of, trait.name)) > 1:
            yield f'trait.{i}: the name "{trait.name}" is that of another check of {trait.of}; choose another.'


def _nobody_gives(column: str, given: Sequence[str]) -> str:
    """Why a filter finds no such column, and the cure."""
    if giver := next((use for use, cls in SIGNALS.items() if cls.scope == "row" and column in cls.gives), None):
        return f'which is measured only on request. Add it: [[signal]] use = "{giver}".'
    return f"which no label and no signal of single rows gives.{nearest(column, given)}"


def _benchmark_faults(recipe: Recipe) -> Iterator[str]:
    """What asks for benchmarks although the recipe names no file of any."""
    files = 'files = ["benchmarks/NAME.jsonl"].'
    if recipe.similarity and not recipe.similarity.files:
        yield f"signal.benchmark_similarity names no benchmark; add {files}"
    for i, wanted in enumerate(recipe.set):
        if (bound := wanted.check.get(PARAPHRASES)) and bound.severity != "off" and not recipe.similarity:
            cure = f'[[signal]] use = "benchmark_similarity", {files}'
            yield f"set.{i}.{wanted.name}.check.{PARAPHRASES}: name benchmark files: {cure}"
    if recipe.overlap.files:
        return
    cure = f'name benchmark files: [[signal]] use = "benchmark_overlap", {files}'
    yield from (f"filter.{i}.benchmark_leak: {cure}" for i, f in enumerate(recipe.filter) if f.use == "benchmark_leak")
    for i, wanted in enumerate(recipe.set):
        if (bound := wanted.check.get(LEAKS)) and bound.severity != "off":
            yield f"set.{i}.{wanted.name}.check.{LEAKS}: {cure}"


def _set_faults(wanted: SetKind, names: Sequence[str], axes: Sequence[str], numbers: Sequence[str]) -> Iterator[str]:
    """The faults of one set, each beginning with the field it is about."""
    if wanted.name in RESERVED:
        yield f'name: "{wanted.name}" is the name of something else; expected any but {", ".join(RESERVED)}.'
    if wanted.name.endswith("_checks") or keyword.iskeyword(wanted.name):
        yield f'name: "{wanted.name}" is a name that Dagster or Python keeps for itself; choose another.'
    if wanted.name.endswith("_release") and wanted.name.removesuffix("_release") in names:
        yield f'name: "{wanted.name}" is what the release of "{wanted.name.removesuffix("_release")}" is called; choose another.'
    if wanted.name.endswith(SUFFIX) and wanted.name.removesuffix(SUFFIX) in names:
        yield f'name: "{wanted.name}" is what the coverage of "{wanted.name.removesuffix(SUFFIX)}" is called; choose another.'
    yield from share_faults("mix", wanted.mix, axes)
    yield from follow_faults(wanted, axes)
    yield from select_faults(wanted, axes, numbers)
    fits = [form for form, export in EXPORTS.items() if wanted.use in export.takes]
    for form in dict.fromkeys(wanted.export):
        if form not in EXPORTS:
            yield f'export: there is no format "{form}".{nearest(form, EXPORTS)} Formats: {", ".join(EXPORTS)}.'
        elif form not in fits:
            yield f'export: the format "{form}" cannot hold a set of kind {wanted.use}; expected one of {", ".join(fits)}.'
        if wanted.export.count(form) > 1:
            yield f'export: the format "{form}" is there {wanted.export.count(form)} times; expected once.'
    if not wanted.export:
        yield f"export: names no format; expected at least one of {', '.join(fits)}."
    yield from unprovable(wanted)
    yield from looked_at.faults(wanted)
    mine = [t.name for t in targets.set_targets(wanted)]
    for fault in _check_faults(wanted.check, mine):
        yield f"check{fault}"


def _coverage_faults(recipe: Recipe, wanted: SetKind, types: Mapping[str, Any], known: Sequence[str]) -> Iterator[str]:
    """The faults of what a set shall cover. Labels are no axes of it: they are known of few calls."""
    columns = [c for c in known if c not in LABEL_COLUMNS]
    words = [c for c in columns if types[c] in (pl.String, pl.Boolean, pl.Date)]
    values: dict[str, Sequence[str]] = {c: v for s in recipe.signals for c, v in s.values.items()}
    values |= {AUTHOR: ("human", "ai"), "origin": ORIGINS}
    numbers = [c for c in columns if types[c].is_numeric()]
    yield from coverage_faults(wanted.coverage, wanted.mix, ["task", AUTHOR, *words], numbers, values)


def _check_faults(bounds: Mapping[str, Threshold], checks: Sequence[str]) -> Iterator[str]:
    """Checks there are not, and bounds that no number can meet."""
    for name, bound in bounds.items():
        if name not in checks:
            yield f': there is no check "{name}" here.{nearest(name, checks)} Checks: {", ".join(checks)}.'
        if bound.min is not None and bound.max is not None and bound.min > bound.max:
            yield f".{name}: min {bound.min:g} is above max {bound.max:g}; no number can be both."
        if bound.confidence and name in checks and name not in targets.BANDED:
            yield f".{name}.confidence: its number is no share of rows. Checks that take one: {', '.join(targets.BANDED)}."


_OPERATORS: dict[str, Any] = {
    "signal": SIGNALS,
    "edit": EDITS,
    "filter": FILTERS,
    "set": SETS,
    "select": SELECTIONS,
    "review": BATCHES,
}


_EXPECTED = {
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "string_type": 'expected text in quotes, such as "x"',
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "tuple_type": "expected a list in square brackets",
    "string_pattern_mismatch": "expected lower-case letters, digits and underscores, starting with a letter, at most 63",
}
"""What pydantic's types of fault mean in TOML's words."""


def _sentences(where: str, error: ValidationError) -> str:
    """One line per fault: its path, what was found, what is allowed, the nearest right word."""
    lines = []
    for fault in error.errors(include_url=False):
        loc = fault["loc"]
        path = ".".join(str(p) for p in loc) or "(top)"
        found = repr(fault["input"]) if len(repr(fault["input"])) <= 60 else repr(fault["input"])[:59] + "…"
        operators = list(_OPERATORS.get("select" if "select" in loc else str(loc[0]) if loc else "", ()))
        match fault["type"]:
            case "union_tag_invalid":
                tag = str(fault["ctx"]["tag"])
                lines.append(
                    f'{path}.use: there is no "{tag}".{nearest(tag, operators)} Expected one of {", ".join(operators)}.'
                )
            case "union_tag_not_found":
                lines.append(f'{path}: has no "use". Expected use = one of {", ".join(operators)}.')
            case "extra_forbidden":
                words = _allowed(loc)
                word = str(loc[-1])
                lines.append(f'{path}: there is no "{word}" here.{nearest(word, words)} Allowed: {", ".join(words)}.')
            case "missing":
                lines.append(f"{path}: is missing. Add it.")
            case "literal_error":
                words = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
                lines.append(
                    f"{path}: found {found}.{nearest(str(fault['input']), words)} Allowed: {', '.join(words)}."
                )
            case "value_error":
                lines.append(f"{path}: {fault['msg'].removeprefix('Value error, ')}.")
            case "tuple_type" | "model_attributes_type" if operators and len(loc) <= 2:
                lines.append(
                    f"{path}: found {found}; expected tables, each under its own [[{loc[0]}]] with a line use = one of {', '.join(operators)}."
                )
            case kind:
                lines.append(
                    f"{path}: found {found}; {_EXPECTED.get(kind, fault['msg'][0].lower() + fault['msg'][1:])}."
                )
    return f"{where} has {len(lines)} fault{'s' if len(lines) > 1 else ''}:\n" + "\n".join(
        f"  {line}" for line in lines
    )


def _allowed(loc: tuple[int | str, ...]) -> list[str]:
    """The field names allowed where an unknown one was found."""
    model: Any = Recipe
    for i, step in enumerate(loc[:-1]):
        if isinstance(step, int):
            continue
        if i >= 2 and loc[0] in _OPERATORS and step in _OPERATORS[str(loc[0])]:
            model = _OPERATORS[str(loc[0])][step]
        elif i >= 1 and loc[i - 1] == "select" and step in SELECTIONS:
            model = SELECTIONS[str(step)]
        elif isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            inner = model.model_fields[step].annotation
            inner = next((a for a in get_args(inner) if isinstance(a, type) and issubclass(a, BaseModel)), inner)
            model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
        elif (len(loc) > 2 and loc[0] == "check") or "check" in loc:
            model = Threshold
    if "coverage" in loc and ("axes" in loc or "cells" in loc):
        model = Wanted
    return sorted(model.model_fields)
