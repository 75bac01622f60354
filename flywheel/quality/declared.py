"""Which checks are judged: those whose subject the recipe declares. The others are off, and say so; none is passed unseen."""

from typing import TYPE_CHECKING

from flywheel.kinds import SetKind, Threshold, Undeclared
from flywheel.quality.guidelines import KNOWN
from flywheel.quality.looked_at import LOOKED
from flywheel.quality.mixes import undeclared
from flywheel.quality.served_prompts import PROMPTED
from flywheel.quality.targets_of_curricula import untold
from flywheel.quality.targets_of_sets import OF_LOOP
from flywheel.quality.training import unproved

if TYPE_CHECKING:
    from flywheel.recipe import Recipe

LEAKS = "no_benchmark_leaks"
"""The check that needs benchmark files."""
PARAPHRASES = "no_benchmark_paraphrases"
"""The check that needs the signal benchmark_similarity."""
KEPT_OUT = "evaluation_is_kept_out"
"""The check that needs a pilot."""
FORBIDDEN = "no_forbidden_field_is_left"
"""The check, of the screened rows and of every set, that needs a policy with forbidden fields."""
DRIFT = "types_are_as_declared"
"""The check that needs a policy with types."""


def judged_where_declared(recipe: "Recipe") -> "Recipe":
    """The recipe with the checks that have nothing to look for declared off: they are never passed unseen."""
    off = Threshold(severity="off")
    policy = recipe.policy
    needed = (
        (LEAKS, recipe.overlap.files),
        (PARAPHRASES, recipe.similarity),
        (KEPT_OUT, recipe.pilots),
        (FORBIDDEN, policy.drop_fields),
    )
    empty = [name for name, there in needed if not there]
    unsaid: dict[str, Threshold] = dict.fromkeys(empty, off) | _undeclared_rights(recipe) | _of_loop(recipe)
    sets = tuple(
        s.model_copy(
            update={"check": dict.fromkeys(unproved(s), off) | unsaid | undeclared(s) | s.check | _of_looks(s)}
        )
        for s in recipe.set
    )
    check = dict(recipe.check)
    if not recipe.guideline:
        unguided = Undeclared(severity="off", missing="[[guideline]]")
        check["feedback"] = {KNOWN.name: unguided} | check.get("feedback", {})
    further = (
        ("screened", FORBIDDEN, policy.drop_fields),
        ("conversations", DRIFT, policy.types),
        ("conversations", PROMPTED.name, recipe.tuned),
    )
    for asset, name, there in further:
        if not there:
            check[asset] = {name: off} | check.get(asset, {})
    stages = tuple(c.model_copy(update={"check": {**untold(c), **c.check}}) for c in recipe.curriculum)
    return recipe.model_copy(update={"set": sets, "curriculum": stages, "check": check})


def _undeclared_rights(recipe: "Recipe") -> dict[str, Threshold]:
    """Checks of rights, off where the recipe does not say what they need; what is unknown warns where it says so."""
    off = Undeclared(severity="off", missing="[purpose]")
    judged = ("licences_permit_the_purpose", "teachers_permit_the_purpose", "rights_are_known")
    found: dict[str, Threshold] = {}
    if recipe.purpose is None:
        found = dict.fromkeys(judged, off)
        if not recipe.source:
            found["every_source_is_registered"] = Undeclared(severity="off", missing="[[source]] and no [purpose]")
    elif recipe.purpose.unknown == "warn":
        found["rights_are_known"] = Threshold(severity="warn")
    return found


def _of_looks(wanted: SetKind) -> dict[str, Threshold]:
    """The bounds of [set.looked_at], under what the recipe says of the checks themselves; off where neither says a word."""
    found: dict[str, Threshold] = {}
    for key, target in LOOKED.items():
        least: float | None = getattr(wanted.looked_at, key, None)
        said = wanted.check.get(target.name, Threshold())
        if least is None and said == Threshold():
            found[target.name] = Undeclared(severity="off", missing=f"{key} in [set.looked_at]")
        elif said.min is None:
            found[target.name] = said.model_copy(update={"min": least})
    return found


def _of_loop(recipe: "Recipe") -> dict[str, Threshold]:
    """The bounds of the loop's policy; its checks are off where there is none."""
    if (loop := recipe.loop) is None:
        names = ("synthetic_share_is_within_limit", *(t.name for t in OF_LOOP))
        return dict.fromkeys(names, Undeclared(severity="off", missing="[loop]"))
    return {
        "synthetic_share_is_within_limit": Threshold(max=loop.max_synthetic_share),
        "synthesis_does_not_stand_on_synthesis": Threshold(max=loop.max_generations),
        "rare_values_are_retained": Threshold(min=loop.min_retention),
        "no_value_is_amplified": Threshold(max=loop.max_growth),
    }
