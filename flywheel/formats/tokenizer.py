"""Tokenizers of models: the small one that comes with flywheel, or the folder of a model. This is the door to `tokenizers`.

A folder holds tokenizer.json and, as a rule, tokenizer_config.json, with the chat template in it or beside it as
chat_template.jinja. Nothing is ever fetched.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from flywheel.errors import FlywheelError
from flywheel.formats.chat_templates import ChatTemplate

SHIPPED = "small"
"""Name of the tokenizer that comes with flywheel: 4,096 byte-level pieces, with the special tokens of every template shipped."""
VARIABLES = ("bos_token", "eos_token", "unk_token", "pad_token")


class TokenizerMissing(FlywheelError):
    """The tokenizer that a recipe names is not there, or is none."""


@dataclass(frozen=True)
class ChatTokenizer:
    """A tokenizer, the name it is spoken of by, and what stands beside it in its folder."""

    name: str
    path: str
    """Of tokenizer.json."""
    digest: str
    """SHA-256 of tokenizer.json."""
    special: tuple[str, ...]
    """Its special tokens, sorted: text that must stand in no message."""
    shipped: bool = False

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """An `Encoding` of each text: ids, and the characters each token stands for. Special tokens are those in the text."""
        return list(_opened(self.path, self.digest).encode_batch(list(texts), add_special_tokens=False))

    def is_token(self, text: str) -> bool:
        """Whether a text is one token of it."""
        return bool(text) and _opened(self.path, self.digest).token_to_id(text) is not None


def template_beside(folder: Path, name: str) -> ChatTemplate | None:
    """The chat template of a tokenizer's folder: chat_template.jinja, or the default one of tokenizer_config.json; None without."""
    config = _config(folder)
    beside = folder / "chat_template.jinja"
    source = beside.read_text("utf-8") if beside.is_file() else config.get("chat_template")
    if isinstance(source, list):  # several, by name
        source = next((t["template"] for t in source if t.get("name") == "default"), None)
    return ChatTemplate(f"of {name}", source, variables=variables(config)) if isinstance(source, str) else None


def variables(config: Mapping[str, Any]) -> dict[str, str]:
    """What tokenizer_config.json tells a template."""
    told = {v: config[v] for v in VARIABLES if config.get(v)}
    return {v: t if isinstance(t, str) else str(t.get("content", "")) for v, t in told.items()}


def shipped() -> ChatTokenizer:
    """The tokenizer that comes with flywheel."""
    return _read(Path(str(files("flywheel").joinpath("models", "tokenizer.json"))), SHIPPED, True)


def tokenizer_of(folder: Path, name: str) -> ChatTokenizer:
    """The tokenizer of a folder, spoken of by `name`. Raises `TokenizerMissing`, saying what to do."""
    path = folder if folder.name == "tokenizer.json" else folder / "tokenizer.json"
    if not path.is_file():
        raise TokenizerMissing(
            f"there is no tokenizer at {name}: expected a folder with tokenizer.json. Copy the model's there, or leave `tokenizer` out."
        )
    return _read(path, name, False)


def _read(path: Path, name: str, ours: bool) -> ChatTokenizer:
    data = path.read_bytes()
    try:
        told = json.loads(data)
        special = sorted(t["content"] for t in told.get("added_tokens") or () if t["special"] and t["content"])
        found = ChatTokenizer(name, str(path), hashlib.sha256(data).hexdigest(), tuple(special), ours)
        _opened(found.path, found.digest)
    except Exception as e:  # `tokenizers` raises bare exceptions for whatever it does not understand
        raise TokenizerMissing(
            f"the tokenizer {name} cannot be read: {type(e).__name__}. Copy the model's tokenizer.json there again."
        ) from None
    return found


def _config(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


@lru_cache(maxsize=4)
def _opened(path: str, digest: str) -> Any:
    """The tokenizer. `digest`: another file at the same place is another tokenizer."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # parts are made in processes of their own
    from tokenizers import Tokenizer

    return Tokenizer.from_file(path)
