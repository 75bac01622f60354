"""The six traits of good data, each told by the checks that judge it, and traits of one's own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TRAITS: Mapping[str, tuple[str, ...]] = {
    "relevant": ("every_cell_is_covered", "mix_meets_target", "every_share_meets_target"),
    "aligned": ("no_reply_is_empty", "every_pair_has_contrast", "labels_are_balanced", "scores_are_on_scale"),
    "consistent": ("people_agree", "ids_mean_one_thing", "no_split_leaks"),
    "correctly formatted": ("roles_are_in_order", "types_are_as_declared", "export_is_whole"),
    "unique": ("duplicates_are_few", "logs_repeat_little"),
    "compliant": (
        "no_pii_is_left",
        "no_forbidden_field_is_left",
        "no_benchmark_leaks",
        "synthetic_share_is_within_limit",
    ),
}
"""Trait -> the checks that tell it."""


def scorecard(checks: Iterable[Mapping[str, Any]], own: Sequence[str] = ()) -> list[dict[str, Any]]:
    """`{trait, holds, passed, judged, found}` of each trait: whether every check that was judged passed, and what the first that did
    not, or else the first, found. `holds` is None where no check judged it. `own`: checks that are traits themselves."""
    told = [c for c in checks if c.get("severity") != "off"]
    every = {**TRAITS, **{name: (name,) for name in own}}
    return [_row(trait, [c for name in names for c in told if c["name"] == name]) for trait, names in every.items()]


def _row(trait: str, judged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    failed = [c for c in judged if c.get("passed") is not True]
    said = next((str(c.get("summary", "")) for c in (*failed, *judged)), "no check judged it")
    holds = not failed if judged else None
    return {"trait": trait, "holds": holds, "passed": len(judged) - len(failed), "judged": len(judged), "found": said}
