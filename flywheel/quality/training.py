"""What the checks of a set ask about training: whether the mask is right, the examples fit, and the model is served the same."""

from collections.abc import Iterator

from flywheel.errors import FlywheelError, nearest
from flywheel.formats.chat_templates import ENDS
from flywheel.formats.mask_proof import FAULTS, REFUSED, UNUSABLE, Proof
from flywheel.formats.messages import PROMPTLESS
from flywheel.formats.serving import served_difference
from flywheel.kinds import SetKind
from flywheel.quality.tally import Row, one
from flywheel.quality.target import Target

LEARNED = Target(
    name="replies_alone_are_learned",
    metric="mask_faults",
    unit="count",
    says="{value} of {n} examples of which training would learn the wrong tokens",
    next_step="Do what the reason says: it names the template.",
    max=0,
)
FITS = Target(
    name="every_example_fits",
    metric="over_max_tokens",
    unit="count",
    says="{value} of {n} examples longer than `max_tokens`, whose end, the reply, would be cut off",
    next_step="Lower max_tokens of the filter too_long, or train on longer examples.",
    max=0,
)
SERVED = Target(
    name="model_is_served_as_trained",
    metric="served_differences",
    unit="count",
    says="{value} difference between what is served and what is trained, of {n} files looked at",
    next_step="Serve with the template whose digest is in manifest.json, or train with the one that is served.",
    max=0,
)
TRAINING = (LEARNED, FITS, SERVED)


def unproved(wanted: SetKind) -> list[str]:
    """Names of the checks that have nothing to look at, for the set names no template, no length or no server."""
    named = wanted.template is not None or wanted.tokenizer is not None
    there = (
        (LEARNED, named),
        (FITS, named and wanted.max_tokens is not None),
        (SERVED, named and wanted.serving is not None),
    )
    return [target.name for target, known in there if not known]


def unprovable(wanted: SetKind) -> Iterator[str]:
    """Why what a set asks to be proved cannot be, each beginning with the field it is about."""
    template = wanted.template or "chatml"
    if template not in ENDS and "/" not in template and not template.endswith((".jinja", ".json")):
        yield f'template: there is no template "{template}".{nearest(template, ENDS)} Expected one of {", ".join(ENDS)}, or a file such as templates/mine.jinja.'
    for name in unproved(wanted):
        if (bound := wanted.check.get(name)) and bound.severity != "off":
            yield f"check.{name}: has nothing to look at. Name a template, and what else it needs: max_tokens, serving."
    named = [key for key in ("template", "tokenizer", "max_tokens", "serving") if getattr(wanted, key) is not None]
    for key in named:
        if wanted.use in PROMPTLESS:
            yield f"{key}: proves nothing of a set of kind {wanted.use}, whose texts have no prompt and need no chat template; leave it out."
        elif not {"template", "tokenizer"} & set(named):
            yield f"{key}: needs a chat template. Add template = one of {', '.join(ENDS)}, or a file."


def training(wanted: SetKind, proof: Proof | None) -> list[Row]:
    """Rows of measures.MEASURES about a candidate; zero of zero where the recipe names no template, and nothing is judged."""
    found = proof or Proof()
    learned, n = LEARNED.metric, found.examples
    rows = [*one(learned, sum(found.faults.values()), n), *one(FITS.metric, found.too_long, n)]
    name = wanted.template or wanted.tokenizer
    for code, count in sorted(found.faults.items()):
        why = found.shown[code][0] if code in (UNUSABLE, REFUSED) else FAULTS[code]
        rows += one(learned, count, n, f"{name}: {code}, {why}")
    said = _served(wanted)
    rows += one(SERVED.metric, int(said is not None), int(wanted.serving is not None))
    return rows if said is None else [*rows, *one(SERVED.metric, 1, 1, said)]


def _served(wanted: SetKind) -> str | None:
    """Where the model is served otherwise than it is trained; None where it is not, or nobody says how it is served."""
    if wanted.serving is None:
        return None
    try:
        read = wanted.chat_format()
    except FlywheelError as e:
        return str(e)
    return served_difference(read, wanted.at(wanted.serving), wanted.serving) if read else None
