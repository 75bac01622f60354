"""Chat templates: messages as the one text a model sees, and the proof that only the right part of it is learned.

Templates are jinja, as tokenizers carry them; `{% generation %}` … `{% endgeneration %}` marks what is learned. They are
rendered in a sandbox: a template may come from anywhere.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flywheel.errors import FlywheelError

Tokenizer = Callable[[str], Sequence[tuple[int, int]]]
"""A text -> the start and end, in characters, of each of its tokens."""
Messages = Sequence[Mapping[str, Any]]

OPEN, CLOSE = "\ue000\ue001\ue000", "\ue000\ue002\ue000"
"""What stands in the rendered text where something learned begins and ends; private characters, refused in messages."""
ENDS = {"chatml": "<|im_end|>", "llama3": "<|eot_id|>", "gemma": "<end_of_turn>", "mistral": "</s>"}


class TemplateInvalid(FlywheelError):
    """A chat template cannot be used: it does not parse, or it would train on the wrong tokens."""


class _Generation(Extension):
    """The tag pair that marks what is learned."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return OPEN + caller() + CLOSE


@dataclass(frozen=True)
class ChatTemplate:
    """A template, the name it is spoken of by, and the text that ends an assistant's turn."""

    name: str
    source: str
    end_of_turn: str

    @property
    def digest(self) -> str:
        """SHA-256 of the template's text: two programs with the same digest render alike."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def _compiled(self) -> Any:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation])
        environment.globals["raise_exception"] = _refuse
        try:
            return environment.from_string(self.source)
        except TemplateError as e:
            raise TemplateInvalid(f"the template {self.name} does not parse: {e}. Mend it.") from None

    def render(self, messages: Messages, add_generation_prompt: bool = False) -> tuple[str, list[tuple[int, int]]]:
        """The text, and the spans of it that are learned. Raises `TemplateInvalid` where the template refuses."""
        if any(mark in str(m.get("content")) for m in messages for mark in (OPEN, CLOSE)):
            raise TemplateInvalid("a message holds the private characters that mark what is learned. Leave it out.")
        if any(m.get("tool_calls") for m in messages):
            raise TemplateInvalid(
                f"the template {self.name} shows no tool calls, and this set has some. Remove `template` from the set, or leave such rows out."
            )
        try:
            marked = self._compiled.render(messages=messages, add_generation_prompt=add_generation_prompt)
        except TemplateError as e:
            raise TemplateInvalid(f"the template {self.name} cannot render these messages: {e}.") from None
        except (TypeError, ValueError, OverflowError, RecursionError) as e:
            raise TemplateInvalid(f"the template {self.name} fails on these messages: {type(e).__name__}.") from None
        return _spans(self.name, marked)


def template(name: str) -> ChatTemplate:
    """One of the templates shipped: chatml (Qwen too), llama3, gemma, mistral."""
    if name not in ENDS:
        raise TemplateInvalid(f'there is no template "{name}"; expected one of {", ".join(ENDS)}.')
    source = files("flywheel").joinpath("templates", f"{name}.jinja").read_text("utf-8")
    return ChatTemplate(name, source.removesuffix("\n"), ENDS[name])


def _refuse(why: str) -> NoReturn:
    raise TemplateError(why)


def _spans(name: str, marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without marks, and where they stood."""
    head, *pieces = marked.split(OPEN)
    text, spans = head, []
    for piece in pieces:
        learned, closed, rest = piece.partition(CLOSE)
        if not closed:
            raise TemplateInvalid(f"the template {name} nests generation tags. Use one around each reply.")
        spans.append((len(text), len(text) + len(learned)))
        text += learned + rest
    return text, spans


# --- the proof


@dataclass(frozen=True, slots=True)
class MaskProof:
    """What was proved over a number of examples."""

    template: str
    digest: str
    examples: int
    tokens: int
    trained: int
    longest: int
    """Tokens of the longest example."""


def prove_mask(
    known: ChatTemplate, tokenizer: Tokenizer, examples: Iterable[Messages], max_tokens: int | None = None
) -> MaskProof:
    """Prove that training on these examples learns every reply with its end of turn, and nothing else.

    The replies are looked for in the text itself, apart from the template's tags. Raises `TemplateInvalid`, naming the
    template, where the mask is all zeros or all ones, lacks a reply or an end of turn, holds anything else, cuts a token
    in two, or where an example is longer than `max_tokens`.
    """
    counted, tokens, trained, longest = 0, 0, 0, 0
    for counted, messages in enumerate(examples, 1):
        text, spans = known.render(messages)
        offsets = [(a, b) for a, b in tokenizer(text) if b > a]
        mask = [any(a < end and b > start for start, end in spans) for a, b in offsets]
        if fault := _mask_fault(known, messages, text, spans, offsets, mask):
            raise TemplateInvalid(f"the template {known.name} trains wrongly on example {counted}: {fault}")
        if max_tokens is not None and len(offsets) > max_tokens:
            raise TemplateInvalid(
                f"example {counted} has {len(offsets):,} tokens under the template {known.name}; at most {max_tokens:,} are "
                "trained on, and what is cut off is the reply. Lower max_tokens of the filter too_long."
            )
        tokens, trained, longest = tokens + len(mask), trained + sum(mask), max(longest, len(mask))
    return MaskProof(known.name, known.digest, counted, tokens, trained, longest)


def _mask_fault(
    known: ChatTemplate,
    messages: Messages,
    text: str,
    spans: Sequence[tuple[int, int]],
    offsets: Sequence[tuple[int, int]],
    mask: Sequence[bool],
) -> str | None:
    """What is wrong with the mask of one example, as a sentence."""
    replies = [str(m["content"]) for m in messages if m["role"] == "assistant"]
    if not any(mask):
        return "no token is learned. Put {% generation %} and {% endgeneration %} around the assistant's text."
    if all(mask):
        return "every token is learned, the prompt's too. Put the generation tags around the assistant's text only."
    if not all(b <= c for (_, b), (c, _) in pairwise(offsets)):
        return "the tokenizer's offsets overlap. Give it one that tells where each token begins and ends."
    if len(spans) != len(replies):
        return f"{len(spans)} parts are learned; the conversation has {len(replies)} replies."
    for (start, end), reply in zip(spans, replies, strict=True):
        learned = text[start:end]
        if not learned.endswith(known.end_of_turn):
            return f"the end of turn {known.end_of_turn!r} is not learned, so the model would not stop. Move it inside the tags."
        if learned.removesuffix(known.end_of_turn).strip() != reply.strip():
            return "what is learned is not the assistant's reply. Put the tags around its text and its end of turn."
        if any(a < edge < b for a, b in offsets for edge in (start, end)):
            return "a token reaches over the edge of a reply. Put a special token or a newline before it."
    return None


def characters(text: str) -> list[tuple[int, int]]:
    """The simplest tokenizer: each character is a token. For proofs where the model's own is not at hand."""
    return [(i, i + 1) for i in range(len(text))]


# --- fingerprints


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two renderings part."""

    at: int
    """The first differing character, from 0."""
    trained: str
    served: str


def first_difference(trained: str, served: str) -> Difference | None:
    """Where the text a model is served first differs from the text it was trained on; None where it does not."""
    if trained == served:
        return None
    at = next(
        (i for i, (a, b) in enumerate(zip(trained, served, strict=False)) if a != b), min(len(trained), len(served))
    )
    return Difference(at, trained[at : at + 20], served[at : at + 20])


PROBE = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "Bye"},
)
"""A conversation that shows every part of a template."""


def check_served(known: ChatTemplate, served: ChatTemplate, messages: Messages = PROBE) -> None:
    """Raise `TemplateInvalid`, with the first differing character, where two templates prompt the model differently."""
    if known.digest == served.digest:
        return
    ours, theirs = (t.render(messages, add_generation_prompt=True)[0] for t in (known, served))
    if found := first_difference(ours, theirs):
        raise TemplateInvalid(
            f"the template {served.name} serves another text than {known.name} trained: character {found.at} is "
            f"{found.served[:1]!r}, expected {found.trained[:1]!r} (…{found.trained!r}). Serve with the template of the manifest."
        )
