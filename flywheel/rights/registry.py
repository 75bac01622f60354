"""What a recipe says of rights: where rows come from and under which licence, what the makers of models allow, and the purpose."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, Field

from flywheel.conditions import Condition
from flywheel.errors import nearest
from flywheel.rights.licences import STRICTEST, Restriction, by_strictness, fault, restrictions

Terms = Literal["allowed", "no_competing", "same_family", "non_commercial", "needs_permission", "forbidden", "unknown"]
"""What the maker of a model allows of training on its outputs: anything; nothing that competes with its own models; models of
its own family; what is not commercial; what it has permitted in writing; nothing; nobody has said."""


class Purpose(BaseModel, frozen=True, extra="forbid"):
    """What the sets are for. Without it nothing is judged, and the checks say so; there is no default for what it asks."""

    commercial: bool
    """Whether the model earns money, or the set is sold."""
    distributed: bool
    """Whether the set, or a model trained on it, is handed to others."""
    competing: bool
    """Whether that model competes with the models whose outputs it is trained on."""
    student: str = ""
    """The model that is trained, such as llama-3.1-8b; terms may allow some families only."""
    unknown: Literal["block", "warn"] = "block"
    """What a licence or terms that nobody knows do to a release."""


class RegisteredSource(BaseModel, frozen=True, extra="forbid"):
    """A source of rows, its licence, and where it was found. A row belongs to the first source that fits it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")
    licence: str = Field(max_length=200)
    """An SPDX expression, `LicenseRef-NAME` for terms that are not in the SPDX list, or `unknown`."""
    restricts: tuple[Restriction, ...] | None = None
    """What the licence restricts, where the list of well-known ones does not say it, or a contract says otherwise."""
    files: tuple[str, ...] = ()
    """Names of ingested files, with * and ?; one without a slash is the last part of a name. A row belongs to it where one of its
    lines is of such a file."""
    where: Condition | None = None
    """A condition on columns of the conversation that its rows meet."""
    made_from: tuple[str, ...] = ()
    """Registered sources it was made of: the strictest of their licences counts for it, too."""
    url: str = ""
    history: str = ""
    """Who collected it, for what, and where it was used before."""

    @property
    def own_restrictions(self) -> tuple[Restriction, ...]:
        """What its own licence restricts, the strictest first."""
        return restrictions(self.licence) if self.restricts is None else by_strictness(self.restricts)


class TeacherTerms(BaseModel, frozen=True, extra="forbid"):
    """What the maker of some models says about training on what they write."""

    models: tuple[str, ...] = Field(min_length=1)
    """Names of models, with * and ?, in any case."""
    terms: Terms
    family: str = ""
    """The family that may be trained where the terms are `same_family`."""
    demands: str = ""
    """What they ask for in return where something is distributed."""
    source: str = ""
    """The document, with its date."""
    as_of: date | None = None


class Standing(BaseModel, frozen=True):
    """The rights of one source with everything it was made of."""

    restricts: tuple[Restriction, ...]
    path: str
    """From the source to the one whose licence is the strictest: `mix (MIT) <- forum (CC-BY-NC-4.0)`."""


class Registry(BaseModel, frozen=True):
    """Sources, teachers and purpose of a recipe, together."""

    purpose: Purpose | None = None
    sources: tuple[RegisteredSource, ...] = ()
    teachers: tuple[TeacherTerms, ...] = ()

    def standing(self, name: str) -> Standing:
        """The effective rights of a source: the strictest of its own and of every source it was made of, at any depth."""
        known = {s.name: s for s in self.sources}
        return _standing(known, name, ())

    def terms(self, model: str | None) -> TeacherTerms:
        """The terms of a model: the first of the recipe's tables that names it, else of the bundled ones, else unknown."""
        name = (model or "").lower()
        for teacher in (*self.teachers, *bundled()):
            if name and any(fnmatchcase(name, pattern.lower()) for pattern in teacher.models):
                return teacher
        return TeacherTerms(models=("*",), terms="unknown")

    def faults(self) -> Iterator[str]:
        """What cannot be meant, each beginning with the table it is about."""
        names = [s.name for s in self.sources]
        for i, source in enumerate(self.sources):
            where = f"source.{i}.{source.name}"
            if names.count(source.name) > 1:
                yield f"{where}: the name is used {names.count(source.name)} times; give each source its own."
            if why := fault(source.licence):
                yield f'{where}.licence: "{source.licence}" {why}.'
            if not source.files and source.where is None and not _is_ingredient(source.name, self.sources):
                yield f"{where}: says nothing of which rows are its own; add files or where, or name it in another source's made_from."
            for part in source.made_from:
                if part not in names:
                    yield f'{where}.made_from: there is no source "{part}".{nearest(part, names)} Register it with its licence, or as unknown.'
            if source.name in _all_parts({s.name: s for s in self.sources}, source.name):
                yield f"{where}.made_from: the source is made of itself; take one of the names out."
            if source.where is not None and (reads := source.where.reads):
                yield f"{where}.where reads {', '.join(reads)}; expected columns of the conversation, such as app, model or metadata.dataset."


def _is_ingredient(name: str, sources: Sequence[RegisteredSource]) -> bool:
    return any(name in s.made_from for s in sources)


def _all_parts(known: Mapping[str, RegisteredSource], name: str) -> set[str]:
    """Every source this one was made of, at any depth; itself, too, where it goes round in a circle."""
    found: set[str] = set()
    ahead = list(known[name].made_from)
    while ahead:
        part = ahead.pop()
        if part in known and part not in found:
            found.add(part)
            ahead += known[part].made_from
    return found


def _standing(known: Mapping[str, RegisteredSource], name: str, above: tuple[str, ...]) -> Standing:
    source = known[name]
    path = (*above, f"{name} ({source.licence})")
    found = [Standing(restricts=source.own_restrictions, path=" <- ".join(path))]
    found += [_standing(known, part, path) for part in source.made_from]
    strictest = min(found, key=lambda s: (_rank(s.restricts), s.path))
    return Standing(restricts=by_strictness(r for s in found for r in s.restricts), path=strictest.path)


def _rank(found: tuple[Restriction, ...]) -> int:
    """How mild the strictest restriction is."""
    return STRICTEST.index(found[0]) if found else len(STRICTEST)


@cache
def bundled() -> tuple[TeacherTerms, ...]:
    """The terms of well-known models, from the dated file teachers.toml."""
    told: dict[str, Any] = tomllib.loads(files("flywheel").joinpath("rights", "teachers.toml").read_text("utf-8"))
    return tuple(TeacherTerms.model_validate(entry | {"as_of": told["as_of"]}) for entry in told["teacher"])
