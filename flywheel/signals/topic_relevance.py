"""Whether a conversation is about what the application is for."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.texts.content_words import content_words
from flywheel.vectors.cosine import nearest
from flywheel.vectors.embedded import Embedded

SURE = 0.5
"""Relevance of a text with a keyword."""


class Topic(BaseModel, frozen=True, extra="forbid"):
    """One thing the application is about."""

    description: str = ""
    """What belongs to it, in a sentence or two."""
    keywords: tuple[str, ...] = ()
    """Words each of which is a sure sign."""
    examples: tuple[str, ...] = ()
    """Things people ask about it, such as real questions from the logs; twenty say more than a description."""

    @model_validator(mode="after")
    def _says_something(self) -> "Topic":
        if not any(t.strip() for t in self.texts):
            raise ValueError("says nothing of the topic; expected a description, keywords or examples")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is said of it."""
        return (self.description, *self.examples, " ".join(self.keywords))


class TopicRelevance(Embedded, frozen=True):
    """How near what the user says is to the nearest of the recipe's topics, and which that is.

    `topic_relevance` is 0 for a text that has no more to do with any topic than with anything else, and up to 1. By `lexical`
    it is the share of the text's content words that the topic's texts have, too, and at least one half where a keyword is
    among them; by `embedding` the cosine to the nearest of its texts, of the way from `unrelated` to `same`. `topic` is the nearest
    one, null at 0. Both are null where the user says nothing that could be judged.
    """

    use: Literal["topic_relevance"] = "topic_relevance"
    gives: ClassVar[Mapping[str, Any]] = {"topic": pl.String, "topic_relevance": pl.Float64}
    sparse: ClassVar[frozenset[str]] = frozenset(gives)
    topics: dict[str, Topic] = Field(min_length=1)
    """Name -> what the topic is about."""
    method: Literal["lexical", "embedding"] = "lexical"
    unrelated: float | None = Field(default=None, ge=-1.0, lt=1.0)
    """Cosine of texts that have nothing to do with each other; without it, as calibrated for the model."""

    @model_validator(mode="after")
    def _knows_its_scale(self) -> "TopicRelevance":
        if self.method == "embedding":
            self.needs_threshold("unrelated", self.unrelated)
        elif self.endpoint or self.model != "hashed":
            raise ValueError(
                'method: a model is named and would not be asked; add method = "embedding" or leave it out'
            )
        return self

    def absent(self) -> str | None:
        return super().absent() if self.method == "embedding" else None

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        by_user = pl.element().struct.field("content").filter(pl.element().struct.field("role") == "user").fill_null("")
        said = pl.col("messages").list.eval(by_user).list.join("\n").str.strip_chars()
        read = self.edited(rows).select("id", text=said.fill_null("").str.slice(0, self.characters))
        texts = read["text"].unique().sort()
        found = self._by_words(texts) if self.method == "lexical" else self._by_meaning(texts)
        near = pl.col("topic_relevance") > 0
        return (
            read.join(found, on="text", how="left", maintain_order="left")
            .select("id", topic=pl.when(near).then("topic"), topic_relevance="topic_relevance")
            .lazy()
        )

    def _by_words(self, texts: pl.Series) -> pl.DataFrame:
        names = sorted(self.topics)
        said = content_words(pl.Series([" ".join(self.topics[n].texts) for n in names], dtype=pl.String))
        sure = self._keywords(names)
        words = content_words(texts)
        size = words.group_by("at").len("size")
        shared = words.join(said.rename({"at": "topic"}), on="word").group_by("at", "topic").len("shared")
        hits = words.join(sure, on="word").group_by("at", "topic", "keyword", "of").len("hit")
        whole = hits.filter(pl.col("hit") == pl.col("of")).select("at", "topic", floor=pl.lit(SURE)).unique()
        both = shared.join(whole, on=["at", "topic"], how="full", coalesce=True).join(size, on="at")
        share = pl.max_horizontal(pl.col("shared") / pl.col("size"), "floor").fill_null(0.0).round(6)
        best = both.select("at", "topic", share=share).sort(["share", "topic"], descending=[True, False])
        best = size.join(best.group_by("at", maintain_order=True).first(), on="at", how="left")
        return best.select(
            text=texts.gather(best["at"]),
            topic=pl.Series(names).gather(best["topic"]),
            topic_relevance=pl.col("share").fill_null(0.0),
        )

    def _keywords(self, names: list[str]) -> pl.DataFrame:
        """`topic`, `keyword`, `of`, `word`: every content word of every keyword, and how many it has."""
        listed = [(at, keyword) for at, name in enumerate(names) for keyword in self.topics[name].keywords]
        keywords = pl.DataFrame(listed, schema={"topic": pl.UInt32, "keyword": pl.String}, orient="row")
        each = content_words(keywords["keyword"])
        with_topic = each.join(keywords.with_row_index("at").select("at", "topic"), on="at")
        return with_topic.rename({"at": "keyword"}).with_columns(of=pl.len().over("keyword"))

    def _by_meaning(self, texts: pl.Series) -> pl.DataFrame:
        names = sorted(self.topics)
        about = [(at, t) for at, name in enumerate(names) for t in self.topics[name].texts if t.strip()]
        known = self.embed(pl.Series([t for _, t in about], dtype=pl.String))
        vectors = self.embed(texts)
        there = np.any(vectors, axis=1) if known.any() else np.zeros(len(texts), dtype=bool)
        floor, same = self.unrelated, 1.0
        if self.calibrated:
            floor, same = self.calibrated.unrelated if floor is None else floor, self.calibrated.same
        place, likeness = nearest(vectors[there], known)
        way = np.clip((likeness - (floor or 0.0)) / (same - (floor or 0.0)), 0.0, 1.0).round(6)
        return pl.DataFrame(
            {
                "text": texts.filter(pl.Series(there)),
                "topic": [names[about[at][0]] for at in place.tolist()],
                "topic_relevance": way,
            },
            schema={"text": pl.String, **self.gives},
        )
