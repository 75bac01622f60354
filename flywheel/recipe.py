"""The recipe: the user's whole wish, read from one TOML file and validated before anything runs."""

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from flywheel import targets
from flywheel.edits import EDITS, AnyEdit
from flywheel.errors import RecipeInvalid, nearest
from flywheel.exports import EXPORTS
from flywheel.filters import FILTERS, AnyFilter
from flywheel.kinds import Edit, Filter, SetKind, Signal, Threshold
from flywheel.labels import LABEL_COLUMNS
from flywheel.records import SLIM, canonical, short_hash
from flywheel.sets import SETS, AnySet
from flywheel.signals import SIGNALS, AnySignal


class Feedback(BaseModel, frozen=True, extra="forbid"):
    """How feedback becomes labels."""

    late_after_hours: float = Field(default=24.0, gt=0)
    """An event that arrives longer than this after it was made counts as late (it is used all the same)."""
    contradictions: Literal["exclude", "majority", "latest"] = "exclude"
    """What wins when different people contradict each other on one reply. One person's later word replaces their earlier."""
    orphan_after_days: float = Field(default=3.0, gt=0)
    """An event whose call has not arrived waits; after this long the check on orphans counts it."""


class Curate(BaseModel, frozen=True, extra="forbid"):
    """Which copy of a duplicate group stays."""

    keep: Literal["best_feedback", "newest", "longest"] = "best_feedback"


class Recipe(BaseModel, frozen=True, extra="forbid"):
    """One file says what is wanted. Nothing else tunes the result."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    seed: int = 0
    """All sampling sorts by a hash of this and the row's id."""
    feedback: Feedback = Feedback()
    curate: Curate = Curate()
    signal: tuple[AnySignal, ...] = ()
    """Signals with other parameters than the default; every signal there is is measured in any case."""
    edit: tuple[AnyEdit, ...] = ()
    filter: tuple[AnyFilter, ...] = ()
    set: tuple[AnySet, ...] = ()
    check: dict[str, dict[str, Threshold]] = {}
    """asset -> check -> bound, for the checks that are not of one set."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal, with the recipe's parameters where it names some."""
        named = {s.use: s for s in self.signal}
        return tuple(named.get(use) or cls() for use, cls in SIGNALS.items())

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits, in the order they are applied."""
        return self.edit

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters; their order does not matter, all are evaluated."""
        return self.filter

    @property
    def sets(self) -> tuple[SetKind, ...]:
        """The finetuning sets wanted."""
        return self.set

    @property
    def digest(self) -> str:
        """Hash of everything the recipe says."""
        return short_hash(canonical(self.model_dump(mode="json")))


def read_recipe(path: Path) -> Recipe:
    """Read and validate a recipe file.

    Raises `RecipeInvalid` with one line per fault: its path, what was found, what is allowed, and the nearest right word.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise RecipeInvalid(f"the recipe {path} cannot be read: {e.strerror}. Run: flywheel init {path.parent}") from None
    except UnicodeDecodeError as e:
        raise RecipeInvalid(f"the recipe {path} is not UTF-8 text (byte {e.start}). Save it as UTF-8.") from None
    return parse_recipe(text, str(path))


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
    return recipe


AXES = (*SLIM, "task")


def _faults(recipe: Recipe) -> list[str]:
    """What pydantic cannot see: columns nobody gives, shares that do not add up, names used twice, formats that do not fit."""
    given = {column for signal in recipe.signals for column in signal.gives}
    known = given | set(LABEL_COLUMNS) | set(SLIM)
    faults = []
    for group in ("signal", "edit", "filter"):
        uses = [op.use for op in getattr(recipe, group)]
        faults += [f'{group}: "{u}" is there {uses.count(u)} times; expected once.' for u in sorted(set(uses)) if uses.count(u) > 1]
    for i, op in enumerate(recipe.filter):
        for column in op.needs:
            if column not in known:
                faults.append(f'filter.{i}.{op.use} needs the column "{column}", which no signal and no label gives.{nearest(column, known)}')
    names = [s.name for s in recipe.set]
    faults += [f'set: the name "{n}" is used {names.count(n)} times; give each set its own.' for n in sorted(set(names)) if names.count(n) > 1]
    axes = known
    for i, wanted in enumerate(recipe.set):
        at = f"set.{i}.{wanted.name}"
        for axis, shares in wanted.mix.items():
            if axis not in axes:
                faults.append(f'{at}.mix: there is no axis "{axis}".{nearest(axis, axes)} Axes: {", ".join(sorted(axes))}.')
            if not math.isclose(total := sum(shares.values()), 1.0, abs_tol=1e-6):
                faults.append(f"{at}.mix.{axis}: the shares add up to {total:g}; expected 1.")
        for form in wanted.export:
            if form not in EXPORTS:
                faults.append(f'{at}.export: there is no format "{form}".{nearest(form, EXPORTS)} Formats: {", ".join(EXPORTS)}.')
            elif wanted.use not in EXPORTS[form].takes:
                fits = [f for f, e in EXPORTS.items() if wanted.use in e.takes]
                faults.append(f'{at}.export: the format "{form}" cannot hold a set of kind {wanted.use}; expected one of {", ".join(fits)}.')
        if not wanted.export:
            faults.append(f"{at}.export: names no format; expected at least one of {', '.join(f for f, e in EXPORTS.items() if wanted.use in e.takes)}.")
        checks = targets.names("set")
        faults += [f'{at}.check: there is no check "{c}".{nearest(c, checks)} Checks: {", ".join(checks)}.' for c in wanted.check if c not in checks]
    for asset, bounds in recipe.check.items():
        if asset not in targets.ASSETS:
            faults.append(f'check: there is no asset "{asset}".{nearest(asset, targets.ASSETS)} Assets: {", ".join(targets.ASSETS)}.')
            continue
        checks = targets.names(asset)
        faults += [f'check.{asset}: there is no check "{c}".{nearest(c, checks)} Checks: {", ".join(checks)}.' for c in bounds if c not in checks]
    return faults


_OPERATORS: dict[str, Any] = {"signal": SIGNALS, "edit": EDITS, "filter": FILTERS, "set": SETS}


def _sentences(where: str, error: ValidationError) -> str:
    """One line per fault: its path, what was found, what is allowed, the nearest right word."""
    lines = []
    for fault in error.errors(include_url=False):
        path = ".".join(str(p) for p in fault["loc"]) or "(top)"
        found = fault["input"]
        match fault["type"]:
            case "union_tag_invalid":
                words = list(_OPERATORS[str(fault["loc"][0])])
                tag = str(fault["ctx"]["tag"])
                lines.append(f'{path}.use: there is no "{tag}".{nearest(tag, words)} Expected one of {", ".join(words)}.')
            case "union_tag_not_found":
                lines.append(f'{path}: has no "use". Expected use = one of {", ".join(_OPERATORS[str(fault["loc"][0])])}.')
            case "extra_forbidden":
                words = _allowed(fault["loc"])
                word = str(fault["loc"][-1])
                lines.append(f'{path}: there is no "{word}" here.{nearest(word, words)} Allowed: {", ".join(words)}.')
            case "missing":
                lines.append(f"{path}: is missing. Add it.")
            case "string_pattern_mismatch":
                lines.append(f"{path}: found {found!r}; expected lower-case letters, digits and underscores, starting with a letter.")
            case _:
                lines.append(f"{path}: found {found!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}.")
    return f"{where} has {len(lines)} fault{'s' if len(lines) > 1 else ''}:\n" + "\n".join(f"  {line}" for line in lines)


def _allowed(loc: tuple[int | str, ...]) -> list[str]:
    """The field names allowed where an unknown one was found."""
    model: Any = Recipe
    for i, step in enumerate(loc[:-1]):
        if isinstance(step, int):
            continue
        if i >= 2 and loc[0] in _OPERATORS and step in _OPERATORS[str(loc[0])]:
            model = _OPERATORS[str(loc[0])][step]
        elif isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            inner = model.model_fields[step].annotation
            model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
        elif len(loc) > 2 and loc[0] == "check" or "check" in loc:
            model = Threshold
    return sorted(model.model_fields)
