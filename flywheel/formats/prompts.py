"""Prompts in the short form a finetuned model is trained on: few-shot prompts taken apart, and served prompts checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from flywheel.errors import FlywheelError
from flywheel.formats.messages import INSTRUCTIONS


class PromptInvalid(FlywheelError):
    """A prompt has no form that can be told."""


@dataclass(frozen=True, slots=True)
class FewShot:
    """A few-shot prompt taken apart."""

    instruction: str
    shots: tuple[tuple[str, str], ...]
    """Input and output of each example shown."""
    slot: str
    """The input that is asked about, or the placeholder for it."""
    prefix: str
    """What every input line begins with: "Item: "."""
    separator: str
    """What stands between input and output: " -->"."""

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Prompt and completion of each shot in the short form, which is what a finetuned model needs to see."""
        return [(f"{given}{self.separator}", answer) for given, answer in self.shots]


SEPARATORS = re.compile(r"[ \t]*(?:-{1,3}>|={1,3}>|→|⇒|::)")


def few_shot(prompt: str) -> FewShot:
    """Take a few-shot prompt apart: an instruction, lines `PREFIX input --> output`, and last a line without output.

    Lines may begin with a word and a colon that they share ("Item:"). Raises `PromptInvalid` where there are no shots or
    nothing is asked.
    """
    lines = [line.strip() for line in prompt.strip().splitlines() if line.strip()]
    cut = [(m, line) for line in lines if (m := SEPARATORS.search(line))]
    if len(cut) < 2:
        raise PromptInvalid(
            "the prompt shows no examples of the form `input --> output`. Expected at least one, and last an input without output."
        )
    separators = {m.group().strip() for m, _ in cut}
    if len(separators) > 1:
        raise PromptInvalid(f"the prompt separates in several ways: {', '.join(sorted(separators))}. Use one.")
    pairs = [(line[: m.start()].strip(), line[m.end() :].strip()) for m, line in cut]
    if pairs[-1][1]:
        raise PromptInvalid(
            "the last line has an output already, so nothing is asked. End with an input and its separator."
        )
    if empty := [given for given, answer in pairs[:-1] if not answer]:
        raise PromptInvalid(f"the example {empty[0]!r} has no output. Only the last line may have none.")
    prefix = _shared_prefix([given for given, _ in pairs])
    inputs = [(given.removeprefix(prefix), answer) for given, answer in pairs]
    told = "\n".join(line for line in lines if not SEPARATORS.search(line))
    return FewShot(told, tuple(inputs[:-1]), inputs[-1][0], prefix, cut[0][0].group())


def short_form(prompt: str) -> str | None:
    """What a prompt asks, in the short form: "pizza -->". One that has it already stays; None where it is no few-shot prompt."""
    if "\n" not in prompt.strip() and (found := SEPARATORS.search(prompt)) and not prompt[found.end() :].strip():
        return prompt.strip()
    try:
        taken = few_shot(prompt)
    except PromptInvalid:
        return None
    return f"{taken.slot}{taken.separator}"


def _shared_prefix(inputs: Sequence[str]) -> str:
    """The word and colon that every input begins with; "" where they begin differently."""
    found = re.match(r"[^:\n]{1,40}:[ \t]*", inputs[0])
    prefix = found.group() if found else ""
    return prefix if prefix and all(i.startswith(prefix) for i in inputs) else ""


# --- serving prompts


Code = Literal[
    "OK",
    "MISSING_SUFFIX",
    "EXTRA_PREFIX",
    "TRAILING_SPACE",
    "EXTRA_SUFFIX",
    "MISSING_PREFIX",
    "MISSING_INSTRUCTIONS",
    "EXTRA_INSTRUCTIONS",
    "OTHER_INSTRUCTIONS",
]


@dataclass(frozen=True, slots=True)
class PromptForm:
    """The form of the prompts a model was trained on: what stands before and after what is asked about."""

    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Lint:
    """What is wrong with a served prompt."""

    code: Code
    at: int | None
    """The first character, from 0, that is not as trained; the length of the prompt where something is missing at its end."""
    expected: str = ""
    """What the training form has there; "" where it has nothing."""


def trained_form(prompts: Sequence[str]) -> PromptForm:
    """The form that training prompts share, in whole words: their common beginning up to a space, their common end from one.

    Raises `PromptInvalid` where fewer than two different prompts are given, as then nothing tells form and content apart.
    """
    distinct = sorted(set(prompts))
    if len(distinct) < 2:
        raise PromptInvalid("the form of training prompts is told from at least two different ones. Give more of them.")
    start = _common(distinct)
    end = _common([p[::-1] for p in distinct])[::-1]
    # "bar -->" and "car -->" share "ar -->": only what follows the last letter or digit of a word is form.
    prefix = start[: start.rfind(" ") + 1] if " " in start else start[: start.rfind("\n") + 1]
    suffix = re.sub(r"^\w+", "", end)
    room = min(len(p) for p in distinct) - len(prefix)
    return PromptForm(prefix, suffix[max(0, len(suffix) - room) :])


def released_prompts(version: Path) -> list[str]:
    """The distinct last user messages of a released version's training rows, sorted. `version`: its folder."""
    user = pl.element().struct.field("content").filter(pl.element().struct.field("role") == "user")
    try:
        rows = pl.read_parquet(version / "rows.parquet", columns=["prompt", "split"])
    except OSError:
        raise PromptInvalid(f"{version} holds no release. Run: flywheel build") from None
    last = rows.filter(pl.col("split") == "train").select(pl.col("prompt").list.eval(user).list.last()).to_series()
    return last.drop_nulls().unique().sort().to_list()


def released_instructions(version: Path) -> list[str]:
    """The distinct instructions of a released version's training rows, sorted; "" for those of a row without any."""
    told = pl.element().struct.field("content").filter(pl.element().struct.field("role").is_in(list(INSTRUCTIONS)))
    try:
        rows = pl.read_parquet(version / "rows.parquet", columns=["prompt", "split"])
    except OSError:
        raise PromptInvalid(f"{version} holds no release. Run: flywheel build") from None
    mine = rows.filter(pl.col("split") == "train").select(pl.col("prompt").list.eval(told).list.join("\n\n"))
    return mine.to_series().fill_null("").unique().sort().to_list()


def lint_instructions(told: str | None, trained: Sequence[str]) -> Lint:
    """Hold the instructions of a served prompt against those of training, where these have a form at all: none, or one text."""
    served = told or ""
    if served in trained or len(trained) != 1:
        return Lint("OK", None)
    if not served:
        return Lint("MISSING_INSTRUCTIONS", 0, trained[0])
    at = len(_common([served, trained[0]]))
    return Lint("OTHER_INSTRUCTIONS" if trained[0] else "EXTRA_INSTRUCTIONS", at, trained[0][at:])


def _common(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    n = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:n]


def lint_prompt(prompt: str, form: PromptForm, shots: Sequence[str] = ()) -> Lint:
    """Hold a served prompt against the trained form.

    `shots`: prefixes such as "Item: " that were taken off when training rows were made; without them, any word and colon
    before the content counts as extra where the training prompts had no prefix.
    """
    bare = prompt.rstrip(" \t\r\n")
    if form.suffix and bare != prompt and bare.endswith(form.suffix.rstrip()) and not prompt.endswith(form.suffix):
        return Lint("TRAILING_SPACE", len(bare))
    if form.prefix and not prompt.startswith(form.prefix):
        at = len(_common([prompt, form.prefix]))
        return Lint("MISSING_PREFIX", at, form.prefix[at:])
    extra = next((s for s in shots if prompt.startswith(s)), None) or _label(prompt, form)
    if extra:
        return Lint("EXTRA_PREFIX", len(form.prefix))
    if form.suffix and not prompt.endswith(form.suffix):
        place = prompt.find(form.suffix, len(form.prefix))
        if place >= 0:
            return Lint("EXTRA_SUFFIX", place + len(form.suffix))
        kept = next(n for n in range(len(form.suffix), -1, -1) if prompt.endswith(form.suffix[:n]))
        return Lint("MISSING_SUFFIX", len(prompt), form.suffix[kept:])
    if not form.suffix and bare != prompt:
        return Lint("TRAILING_SPACE", len(bare))
    return Lint("OK", None)


def _label(prompt: str, form: PromptForm) -> str:
    found = re.match(r"[A-Za-z][\w ]{0,30}:[ \t]+", prompt[len(form.prefix) :])
    return found.group() if found and form.suffix else ""
