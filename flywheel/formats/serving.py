"""Whether a model is served what it was trained on: the template of its server, or prompts logged as they were rendered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from flywheel.errors import FlywheelError
from flywheel.formats.chat_format import ChatFormat, template_at
from flywheel.formats.chat_templates import PROBE, ChatTemplate, TemplateInvalid, first_difference

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Look it up.",
            "parameters": {"type": "object", "properties": {}},
        },
    }
]
PROBES: tuple[tuple[Any, Any], ...] = ((PROBE, None), (PROBE[1:], None), (PROBE[1:2], None), (PROBE[:2], TOOLS))
"""Conversations, and tools, that show every part of a template."""


def served_difference(read: ChatFormat, path: Path, name: str) -> str | None:
    """Where the file says that the model is served another text than it is trained on, as a sentence; None where it does not.

    `path`: a chat template (jinja, tokenizer_config.json or a folder), or JSON Lines of prompts as the server rendered them:
    `{"messages": [...], "tools": [...], "prompt": "..."}`.
    """
    try:
        if path.suffix == ".jsonl":
            return _logged_difference(read, path, name)
        return template_difference(read.template, template_at(path, name))
    except FlywheelError as e:
        return str(e)


def template_difference(trained: ChatTemplate, served: ChatTemplate) -> str | None:
    """The first character in which two templates prompt a model differently, as a sentence."""
    if (trained.digest, trained.variables) == (served.digest, served.variables):
        return None
    for messages, tools in PROBES:
        ours, theirs = (_prompt(t, messages, tools) for t in (trained, served))
        if ours is None or (theirs is None and tools):  # neither trained nor served with tools
            continue
        if theirs is None:
            return f"the template {served.name} refuses a conversation that {trained.name} renders. Serve with the template of the manifest."
        if said := _said(f"the template {served.name} serves", trained.name, ours, theirs):
            return said
    return None


def _logged_difference(read: ChatFormat, path: Path, name: str) -> str | None:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as e:
        raise TemplateInvalid(
            f"the served prompts {name} cannot be read: {e.strerror}. Name a file that is there."
        ) from None
    if not lines:
        raise TemplateInvalid(f"{name} holds no served prompt. Log some, or leave `serving` out.")
    for number, line in enumerate(lines, 1):
        try:
            told = orjson.loads(line)
            messages, tools, prompt = told["messages"], told.get("tools"), str(told["prompt"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TemplateInvalid(f"{name}, line {number}: expected an object with messages and prompt.") from None
        ours, _ = read.template.render(messages, add_generation_prompt=True, tools=tools)
        if said := _said(f"{name}, line {number}, was served", read.template.name, ours, prompt):
            return said
    return None


def _prompt(template: ChatTemplate, messages: Any, tools: Any) -> str | None:
    try:
        return template.render(messages, add_generation_prompt=True, tools=tools)[0]
    except TemplateInvalid:
        return None


def _said(what: str, trained: str, ours: str, theirs: str) -> str | None:
    found = first_difference(ours, theirs)
    if found is None:
        return None
    return (
        f"{what} another text than {trained} trains: character {found.at} is {found.served[:1]!r}, expected "
        f"{found.trained[:1]!r} (…{found.trained!r}). Serve with the template of the manifest."
    )


def fingerprint(read: ChatFormat) -> Mapping[str, str]:
    """What a server's template is held against later: how the shortest conversation is rendered, and the digests."""
    return {
        "prompt": _prompt(read.template, PROBE[1:2], None) or "",
        "template": read.template.digest,
        "tokenizer": read.tokenizer.digest,
    }
