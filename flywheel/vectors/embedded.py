"""What signals that embed text have in common: the model a recipe names, and texts as the recipe's edits leave them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from flywheel.errors import nearest
from flywheel.filters import of_policy
from flywheel.kinds import Edit, Signal
from flywheel.lineage import Step
from flywheel.protection.forbidden import FREE, drop_fields
from flywheel.protection.policy import NO_POLICY, Policy
from flywheel.rewriting import rewrite
from flywheel.vectors.embeddings import CALIBRATED, MODELS, STORED, Embedder, Thresholds, unit

F32 = npt.NDArray[np.float32]

PSEUDONYM = re.compile(r"\[([A-Z]+(?:_[A-Z]+)*)_[0-9a-f]{8,}\]")


class Embedded(Signal, frozen=True):
    """A signal that embeds texts. What it embeds, and what an endpoint is sent, is the text after all edits of the recipe, without
    the fields its policy drops, in which redacted values are their kind alone (`[EMAIL]`): no pseudonym leaves the machine, and
    none tells two texts apart. Rows whose users did not consent are not embedded."""

    on_request: ClassVar[bool] = True
    model: str = "hashed"
    """`hashed`, `minilm` or `e5`; with an endpoint, what the server calls its model."""
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s@]+$")
    """Address of an OpenAI-compatible API, up to /v1: the texts are sent there."""
    key: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
    """Name of the environment variable that holds the endpoint's key; never the key itself."""
    characters: int = Field(default=2000, ge=20)
    """How much of the beginning of a text is embedded."""
    _folder: Path | None = PrivateAttr(default=None)
    _edits: tuple[Edit, ...] = PrivateAttr(default=())
    _policy: Policy = PrivateAttr(default=NO_POLICY)

    @model_validator(mode="after")
    def _is_known(self) -> "Embedded":
        if self.endpoint is None and self.model not in MODELS:
            raise ValueError(
                f'there is no model "{self.model}" here.{nearest(self.model, MODELS)} Expected one of {", ".join(MODELS)}; '
                'a model that a server holds needs its endpoint, such as endpoint = "http://127.0.0.1:8080/v1"'
            )
        if self.key and not self.endpoint:
            raise ValueError("key: only an endpoint takes one; the models on this machine need none")
        return self

    def located(self, folder: Path) -> "Embedded":
        moved = self.model_copy()
        moved._folder = folder / "cache"
        return moved

    def after(self, edits: Sequence[Edit], policy: Policy) -> "Embedded":
        edited = self.model_copy()
        edited._edits, edited._policy = tuple(edits), policy
        return edited

    @property
    def embedder(self) -> Embedder:
        """The model, and where its vectors are cached."""
        return Embedder(self.model, self.endpoint, self.key, self._folder)

    @property
    def calibrated(self) -> Thresholds | None:
        """What was measured of the model; None for an endpoint's, of which nothing is known."""
        return None if self.endpoint else CALIBRATED[self.model]

    def absent(self) -> str | None:
        return self.embedder.absent()

    def step(self) -> Step:
        whole = super().step()
        before = {
            "edits": [e.step().model_dump(mode="json") for e in self._edits],
            "drop_fields": list(self._policy.forbidden),
            "require": dict(self._policy.require),
        }
        return whole.model_copy(update={"parameters": whole.parameters | {k: v for k, v in before.items() if v}})

    def edited(self, rows: pl.LazyFrame, last: int | None = None) -> pl.DataFrame:
        """`id` and `messages`, the `last` so many, after the recipe's edits and without its forbidden fields; none of a row that
        the policy leaves out."""
        unknown = ("tools", "digest", "prompt_digest", "reply_digest", *FREE)
        messages = pl.col("messages").list.tail(last) if last else pl.col("messages")
        if "metadata" in rows.collect_schema():
            no = pl.any_horizontal([pl.lit(False), *(f.reject().fill_null(False) for f in of_policy(self._policy))])
            messages = pl.when(no).then(messages.list.head(0)).otherwise(messages)
        slim = rows.select("id", messages.alias("messages"), *[pl.lit(None, dtype=pl.String).alias(c) for c in unknown])
        allowed, _ = drop_fields(slim.collect(), self._policy.forbidden)
        return rewrite(allowed, self._edits, b"")[0].select("id", "messages")

    def embed(self, texts: pl.Series) -> F32:
        """A vector for each text, after the edits. One without length means: nothing is known of this text."""
        cut = texts.fill_null("").str.slice(0, self.characters).to_list()
        return self.embedder.embed([PSEUDONYM.sub(r"[\1]", t).strip() if self._edits else t.strip() for t in cut])

    def needs_threshold(self, name: str, value: float | None) -> None:
        """Raises `ValueError` where an endpoint's model has no threshold of its own."""
        if value is None and self.endpoint:
            raise ValueError(
                f"{name}: is missing. Cosines of one model say nothing of another's, and nothing was measured of this one. "
                f"Print what fits it with: python benchmarks/embeddings.py --endpoint {self.endpoint} --model {self.model}"
            )


def stored(vectors: F32) -> pl.Series:
    """Vectors as a column of bytes; null for one without length."""
    there = np.any(vectors, axis=1) if len(vectors) else np.empty(0, dtype=bool)
    rounded = vectors.astype(STORED)
    return pl.Series([v.tobytes() if t else None for v, t in zip(rounded, there, strict=True)], dtype=pl.Binary)


def loaded(column: pl.Series) -> F32:
    """The vectors of a column without nulls."""
    if column.is_empty():
        return np.empty((0, 1), dtype=np.float32)
    return unit(np.frombuffer(b"".join(column.to_list()), dtype=STORED).reshape(len(column), -1))
