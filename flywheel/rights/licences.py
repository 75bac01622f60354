"""Licences of sources: SPDX expressions, and what they restrict."""

import tomllib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

Restriction = Literal["unknown", "forbidden", "no_derivatives", "non_commercial", "share_alike"]
"""`unknown`: nobody has said what is allowed. `forbidden`: no training at all. `no_derivatives`: nothing made of it may be handed
on. `share_alike`: what is made of it stands under the same licence when it is handed on."""
STRICTEST = get_args(Restriction)
"""Restrictions, the strictest first."""
UNKNOWN: Literal["unknown"] = "unknown"
"""What a source is registered with whose licence nobody knows. It is a state, and never the same as no restriction."""


def by_strictness(restrictions: Iterable[Restriction]) -> tuple[Restriction, ...]:
    """Each restriction once, the strictest first."""
    return tuple(sorted(set(restrictions), key=STRICTEST.index))


def fault(expression: str) -> str | None:
    """Why this is no SPDX licence expression, as the end of a sentence with the cure; None where it is one.

    Ids of the SPDX list, `LicenseRef-NAME` for terms that are not in it, joined by AND, OR and WITH (SPDX 2.3, annex D).
    """
    if expression == UNKNOWN:
        return None
    try:
        parsed = _licensing().parse(expression)
        strange = [str(s) for s in _licensing().unknown_license_keys(parsed) if not str(s).startswith("LicenseRef-")]
    except Exception as e:  # the parser raises several unrelated kinds
        return f"is no SPDX expression ({str(e).splitlines()[0][:100]}); write one such as CC-BY-4.0, or unknown"
    if parsed is None:
        return "is empty; write an SPDX expression such as CC-BY-4.0, or unknown"
    if strange:
        return f"names {', '.join(strange)}, which is not in the SPDX list; write LicenseRef-{strange[0]} for terms of its own"
    return None


def restrictions(expression: str) -> tuple[Restriction, ...]:
    """What a licence expression restricts. AND restricts what any part does; of OR the part that restricts least is chosen.

    A licence that `licences.toml` does not know is `unknown`, and so is every LicenseRef.
    """
    if expression == UNKNOWN:
        return (UNKNOWN,)
    return _of(_licensing().parse(expression))


def _of(parsed: Any) -> tuple[Restriction, ...]:
    """Restrictions of a parsed expression."""
    match getattr(parsed, "operator", "").strip():
        case "AND":
            return by_strictness(r for part in parsed.args for r in _of(part))
        case "OR":
            return min((_of(part) for part in parsed.args), key=_weight)
    licence = getattr(parsed, "license_symbol", parsed)  # an exception (WITH) allows more than its licence, never less
    return _known(str(licence.key))


def _weight(found: Sequence[Restriction]) -> list[int]:
    """Order of lists of restrictions: the mildest first."""
    return sorted((len(STRICTEST) - STRICTEST.index(r) for r in found), reverse=True)


@cache
def _known(id: str) -> tuple[Restriction, ...]:
    """What the list says of one licence; the first pattern that fits counts."""
    for entry in _table():
        if any(fnmatchcase(id.lower(), pattern.lower()) for pattern in entry["ids"]):
            return by_strictness(entry["restricts"])
    return (UNKNOWN,)


@cache
def _table() -> list[dict[str, Any]]:
    told = tomllib.loads(files("flywheel").joinpath("rights", "licences.toml").read_text("utf-8"))
    return list(told["licence"])


@cache
def _licensing() -> Any:
    """The parser, with the list of SPDX ids."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
