"""How many tokens the prompt and the reply are."""

import gzip
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import polars as pl

from flywheel.kinds import Signal
from flywheel.texts.said import said


class Encoding(Protocol):
    """A tokenizer."""

    def encode_ordinary(self, text: str) -> Collection[int]:
        """The tokens of a text; what looks like a special token is plain text."""


CHUNK = 49_000
"""Characters tokenised at a time: the tokenizer refuses 200,000 tokens, and a character may be four."""

PROBE = (
    "It's 12,345.67 — don't, we'LL; e.g. a.b@c.org\r\n\r\n   indented\tCamelCaseHTTPServer snake_case\n",
    "안녕하세요, 세계! 東京の天気は? 你好。 Привет, мир! مرحبا بالعالم ไทย हिन्दी ½ ﬁ Ａ １２３",
    "def f(x):\n    return {'a': [1, 2, 3]}  # <|endoftext|> \u200b\u2028\u00a0 e\u0301 👩\u200d👩\u200d👧 🇰🇷\n\n\n",
    "a" * 300 + " " * 80 + "/" * 70 + "9" * 31,
)
"""Texts on which two tokenizers that differ would show it."""
SPECIAL = "<|endof"
"""How the special tokens of o200k_base begin: <|endoftext|> and <|endofprompt|>."""


class Tokens(Signal, frozen=True):
    """Tokens of the prompt's contents (every message but the last) and of the reply's content, as o200k_base counts them.

    The counts are exact, made offline, and leave out what a chat template adds. Only a text with 49,000 characters and
    no space between two letters may be off, by a token for each 49,000.
    """

    use: Literal["tokens"] = "tokens"
    gives: ClassVar[Mapping[str, Any]] = {"prompt_tokens_o200k": pl.Int32, "reply_tokens_o200k": pl.Int32}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = said(rows)
        counted = np.array([count(text) for text in read.texts.to_list()], np.int64)
        prompt, reply = (pl.Series(n, dtype=pl.Int32) for n in read.prompt_and_reply(counted))
        return pl.DataFrame({"id": read.ids, "prompt_tokens_o200k": prompt, "reply_tokens_o200k": reply}).lazy()


def count(text: str) -> int:
    """Tokens of one text. What looks like a special token is counted as the plain text it is."""
    encode = _encoding().encode_ordinary
    return len(encode(text)) if len(text) <= CHUNK else sum(len(encode(chunk)) for chunk in _chunks(text))


def _chunks(text: str) -> Iterator[str]:
    """The text in pieces, cut before a space between letters: no token reaches over such a place."""
    start = 0
    while len(text) - start > CHUNK:
        places = re.finditer(r"(?<=[^\W\d_]) (?=[^\W\d_])", text[start : start + CHUNK])
        end = start + max((m.start() for m in places), default=CHUNK)
        yield text[start:end]
        start = end
    yield text[start:]


@cache
def _encoding() -> "Encoding":
    """The fast tokenizer where it is there and agrees with the careful one, else that."""
    import bpe_openai

    careful: Encoding = bpe_openai.get_encoding("o200k_base")
    try:
        fast = _Fast(careful)
        agrees = all(list(fast.encode_ordinary(t)) == careful.encode_ordinary(t) for t in PROBE)
    except Exception:  # a young package: whatever is wrong with it must cost time, not counts
        return careful
    return fast if agrees else careful


class _Fast:
    """Six times as fast, but it knows no way to read its special tokens as plain text."""

    def __init__(self, careful: "Encoding") -> None:
        import bpe_openai
        import gigatoken

        ranks = resources.files(bpe_openai).joinpath("data", "o200k_base.tiktoken.gz").read_bytes()
        with tempfile.TemporaryDirectory(prefix="flywheel-") as folder:
            path = Path(folder) / "o200k_base.tiktoken"  # it knows the vocabulary by this name
            path.write_bytes(gzip.decompress(ranks))
            self.encode: Callable[[str], Collection[int]] = gigatoken.Tokenizer.from_tiktoken(str(path)).encode
        self.careful = careful

    def encode_ordinary(self, text: str) -> Collection[int]:
        return self.careful.encode_ordinary(text) if SPECIAL in text else self.encode(text)
