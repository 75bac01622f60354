"""Chat templates: messages as the one text a model sees, and what of it is learned.

Templates are jinja, as tokenizers carry them; `{% generation %}` … `{% endgeneration %}` marks what is learned. They are
rendered as the library transformers renders them, in the same sandbox (a template may come from anywhere), with one
difference: a template that asks what day it is fails, because its text would be another one tomorrow.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flywheel.errors import FlywheelError

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]

OPEN, CLOSE = "\ue000\ue001\ue000", "\ue000\ue002\ue000"
"""What stands in the rendered text where something learned begins and ends; private characters, refused in messages."""
ENDS = {
    "chatml": "<|im_end|>",
    "qwen2.5": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "llama3.1": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "mistral": "</s>",
}
"""Each template that comes with flywheel, and the token that ends a turn in it."""


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
    end_of_turn: str = ""
    """"" where it has to be found out: see `ending`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the tokenizer tells its template: `bos_token` and the like."""

    @property
    def digest(self) -> str:
        """SHA-256 of the template's text: two programs with the same digest render alike."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def _compiled(self) -> Any:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = _json
        environment.globals |= {"raise_exception": _refuse, "strftime_now": _clock}
        try:
            return environment.from_string(self.source)
        except TemplateError as e:
            raise TemplateInvalid(f"the template {self.name} does not parse: {e}. Mend it.") from None

    def render(
        self, messages: Messages, add_generation_prompt: bool = False, tools: Tools | None = None
    ) -> tuple[str, list[tuple[int, int]]]:
        """The text, and the spans of it that are learned. Raises `TemplateInvalid` where the template refuses."""
        if any(mark in str(m.get("content")) for m in messages for mark in (OPEN, CLOSE)):
            raise TemplateInvalid("a message holds the private characters that mark what is learned. Leave it out.")
        given = {"messages": messages, "tools": tools or None, "documents": None, **self.variables}
        try:
            marked = self._compiled.render(add_generation_prompt=add_generation_prompt, **given)
        except TemplateError as e:
            raise TemplateInvalid(f"the template {self.name} cannot render these messages: {e}.") from None
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as e:
            raise TemplateInvalid(f"the template {self.name} fails on these messages: {type(e).__name__}.") from None
        return _spans(self.name, marked)

    @cached_property
    def ending(self) -> str:
        """What ends an assistant's turn: the text declared, else what is learned after the words of a short reply."""
        if self.end_of_turn:
            return self.end_of_turn
        text, spans = self.render(PROBE)
        learned = text[slice(*spans[-1])] if spans else ""
        words = PROBE[2]["content"]
        while words not in learned:  # a part of the reply alone is learned, which a proof will say
            words = words[1:]
        return learned.partition(words)[2].strip() if words else learned.strip()


def template(name: str) -> ChatTemplate:
    """One of the templates that come with flywheel: chatml, qwen2.5, llama3, llama3.1, gemma, mistral."""
    if name not in ENDS:
        raise TemplateInvalid(f'there is no template "{name}"; expected one of {", ".join(ENDS)}.')
    source = files("flywheel").joinpath("templates", f"{name}.jinja").read_text("utf-8")
    return ChatTemplate(name, source.removesuffix("\n"), ENDS[name])


def _refuse(why: str) -> NoReturn:
    raise TemplateError(why)


def _clock(_: str) -> NoReturn:
    raise TemplateError("it asks what day it is, and its text would be another one tomorrow; write a day into it")


def _json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As transformers has it: jinja's own filter would escape what HTML reserves."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


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
