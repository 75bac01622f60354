"""Which benchmark item a conversation says in other words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from flywheel.lineage import Step
from flywheel.protection import benchmark_items
from flywheel.texts.words import words
from flywheel.vectors.cosine import nearest
from flywheel.vectors.embedded import Embedded


class BenchmarkSimilarity(Embedded, frozen=True):
    """The benchmark item that a message of the conversation is nearest to, by the cosine of their embeddings.

    `benchmark_nearest` is `file#item`, `benchmark_similarity` the cosine, `benchmark_margin` what it is above `threshold`: from 0 on
    the message asks what the item asks. A conversation without a message of `min_words` words has none of them.
    """

    use: Literal["benchmark_similarity"] = "benchmark_similarity"
    gives: ClassVar[Mapping[str, Any]] = {
        "benchmark_nearest": pl.String,
        "benchmark_similarity": pl.Float64,
        "benchmark_margin": pl.Float64,
    }
    sparse: ClassVar[frozenset[str]] = frozenset(gives)
    files: tuple[str, ...] = ()
    """Benchmark files, JSON Lines, plain or gzip; paths from the recipe's folder."""
    field: str | None = None
    """The field of a record that holds what the item asks; without it, question, prompt, turns, instruction and the like."""
    min_words: int = Field(default=4, ge=1)
    """Messages and items of fewer words are left out; of Chinese, Japanese and Korean, each character is one."""
    threshold: float | None = Field(default=None, gt=0.0, le=1.0)
    """Cosine from which a message is a paraphrase; without it, the one calibrated for the model."""
    _home: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _says_what_a_paraphrase_is(self) -> "BenchmarkSimilarity":
        self.needs_threshold("threshold", self.threshold)
        return self

    def located(self, folder: Path) -> "BenchmarkSimilarity":
        moved = super().located(folder)
        assert isinstance(moved, BenchmarkSimilarity)
        moved._home = folder
        return moved

    def read(self) -> None:
        """Read every file, and let what is wrong with one be known. Raises `RecipeInvalid`."""
        for path in self.paths:
            benchmark_items.items(path, self.field)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The benchmark files."""
        return tuple(self._home / file for file in self.files)

    @property
    def paraphrase(self) -> float:
        """The threshold in force."""
        if self.threshold is not None or self.calibrated is None:
            return float(self.threshold or 1.0)
        return self.calibrated.paraphrase

    def step(self) -> Step:
        # Content counts, not where it lies: a moved home gives the same lineage.
        known = [{"name": benchmark_items.short_name(p), "sha256": benchmark_items.digest(p)} for p in self.paths]
        whole = super().step()
        return whole.model_copy(update={"parameters": whole.parameters | {"files": known}})

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        if not self.files:
            return rows.select("id", *[pl.lit(None, dtype=t).alias(c) for c, t in self.gives.items()])
        texts = pl.col("messages").list.eval(pl.element().struct.field("content").fill_null(""))
        said = self.edited(rows).select("id", text=texts).explode("text").drop_nulls()
        found = self._nearest(said["text"].unique().sort())
        best = (
            said.join(found, on="text")
            .sort(["benchmark_similarity", "benchmark_nearest"], descending=[True, False])
            .group_by("id", maintain_order=True)
            .first()
        )
        return rows.select("id").join(best.lazy(), on="id", how="left", maintain_order="left").select("id", *self.gives)

    def _nearest(self, texts: pl.Series) -> pl.DataFrame:
        """`text` and the columns of `gives`, for the texts long enough that the model reads."""
        found = [(i.name, i.text) for path in self.paths for i in benchmark_items.items(path, self.field)]
        items = pl.DataFrame(found, schema={"name": pl.String, "text": pl.String}, orient="row").sort("name", "text")
        items = items.filter(self._long_enough(items["text"]))
        texts = texts.filter(self._long_enough(texts))
        known, vectors = self.embed(items["text"]), self.embed(texts)
        has_item, has_text = np.any(known, axis=1), np.any(vectors, axis=1)
        if not has_item.any() or not has_text.any():
            return pl.DataFrame(schema={"text": pl.String, **self.gives})
        place, likeness = nearest(vectors[has_text], known[has_item])
        return pl.DataFrame(
            {
                "text": texts.filter(pl.Series(has_text)),
                "benchmark_nearest": items["name"].filter(pl.Series(has_item)).gather(place),
                "benchmark_similarity": likeness,
                "benchmark_margin": (likeness - self.paraphrase).round(6),
            }
        )

    def _long_enough(self, texts: pl.Series) -> pl.Series:
        return words(texts).list.len() >= self.min_words
