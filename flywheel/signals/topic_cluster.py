"""What the conversations are about, by the words they share."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import asked
from flywheel.texts.content_words import STOP, as_said

KEPT = 40
"""Words kept of a text."""
NAMED = 3
"""Words in the name of a topic, at most."""
SAID_BY = 3
"""People who must have said a word, where there are as many: what one of them says of themselves is no name of a topic."""
SMALL_TALK = frozenset(
    [
        "hi",
        "hey",
        "hiya",
        "yeah",
        "yep",
        "yup",
        "nope",
        "oh",
        "ah",
        "wow",
        "lol",
        "haha",
        "hah",
        "um",
        "uh",
        "hmm",
        "sorry",
        "thx",
        "pls",
        "plz",
        "glad",
        "nice",
        "cool",
        "great",
        "sir",
        "bye",
        "okay",
        "alright",
        "wonder",
        "guess",
        "gonna",
        "wanna",
        "dont",
        "cant",
        "im",
        "ive",
        "id",
        "ill",
        "thats",
        "whats",
        "안녕",
        "안녕하",
        "네네",
        "아하",
        "ㅋㅋ",
        "ㅎㅎ",
        "ㅠㅠ",
    ]
)
"""Words that people say whatever they talk about."""
BEYOND = "(other)"
"""The topic of rows that belong to none."""
WORDS = pl.List(pl.Struct({"word": pl.String, "said": pl.String}))


class TopicCluster(Signal, frozen=True):
    """The topic a row belongs to, named by the content words that tell it from the others, such as `refund, card, bank`.

    The word with the most rows, among those that are neither in nearly all nor in too few, begins a topic with the words that
    go with it far more often than with others; its rows are taken away, and the next begins, until `topics` are found. Then each row goes to
    the topic its words speak for most. Nothing is random: the same rows have the same topics in whatever order they come.
    A word that fewer than three people said is in no topic, nor in its name. English and Korean words lose their endings; `(other)` are the rows no topic fits, null those with no content word.
    """

    use: Literal["topic_cluster"] = "topic_cluster"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    gives: ClassVar[Mapping[str, Any]] = {"topic_cluster": pl.String}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset(gives)
    decided_later: ClassVar[frozenset[str]] = frozenset({"topics", "min_rows", "max_share"})
    topics: int = Field(default=20, ge=1, le=200)
    """How many topics at most."""
    min_rows: int = Field(default=10, ge=2)
    """Rows that a word must have to begin a topic."""
    max_share: float = Field(default=0.4, gt=0.0, le=1.0)
    """A word in a larger share of the rows says nothing of what they are about."""
    characters: int = Field(default=1000, ge=50)
    """How much of the user's last message is looked at."""

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = rows.select("id", by=pl.coalesce("user", "id"), text=asked().str.slice(0, self.characters)).collect()
        each = as_said(read["text"]).unique(["at", "word"], keep="first", maintain_order=True)
        # "what's" says no more than "what", and "iowa's" as much as "iowa". A number, or a word of one letter, is no topic.
        each = each.with_columns(said=pl.col("said").str.replace(r"(?:'s|n't|'(?:m|re|ll|d|ve))$", ""))
        idle = pl.col("said").is_in([*STOP, *SMALL_TALK, "do", "ca", "wo"]) | (pl.col("said").str.len_chars() < 2)
        each = each.filter(~idle & ~pl.col("word").str.contains(r"^[0-9.,'+#-]*$"))
        told = each.group_by("at").agg(words=pl.struct("word", "said").sort().head(KEPT))
        at = read.with_columns(at=pl.int_range(pl.len(), dtype=pl.UInt32)).join(
            told, on="at", how="left", maintain_order="left"
        )
        return at.select("id", "by", pl.col("words").cast(WORDS)).lazy()

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        ids = sketches.select("id", known=pl.col("words").is_not_null()).sort("id").collect()
        each = sketches.drop_nulls().explode("words").unnest("words").collect()
        topics = self._topics(each.select("id", "by", "word"))
        names = _names(topics, each)
        fit = each.join(topics, on="word").group_by("id", "topic").agg(weight=pl.col("weight").sum())
        best = fit.sort(["weight", "topic"], descending=[True, False]).group_by("id", maintain_order=True).first()
        told = ids.join(best.join(names, on="topic"), on="id", how="left", maintain_order="left")
        name = pl.coalesce("name", pl.lit(BEYOND))
        return told.select("id", topic_cluster=pl.when("known").then(name)).lazy()

    def _topics(self, each: pl.DataFrame) -> pl.DataFrame:
        """`topic` (the word it began with), `word`, `weight`: the words that speak for each topic; whole numbers, which add up
        the same in any order."""
        n = each["id"].n_unique()
        said = each.group_by("word").agg(of=pl.len(), people=pl.col("by").n_unique())
        rows = said.filter(pl.col("people") >= min(SAID_BY, each["by"].n_unique())).drop("people")
        telling = rows.filter(
            (pl.col("of") >= self.min_rows) & (pl.col("of") <= max(self.max_share * n, self.min_rows))
        )
        left = each.join(telling.select("word"), on="word", how="semi")
        found = []
        for _ in range(self.topics):
            counts = left.group_by("word").agg(here=pl.len()).filter(pl.col("here") >= self.min_rows)
            if counts.is_empty():
                break
            first = counts.sort(["here", "word"], descending=[True, False])["word"][0]
            inside = each.join(left.filter(word=first).select("id"), on="id", how="semi")
            size = inside["id"].n_unique()
            beside = inside.group_by("word").agg(here=pl.len()).join(telling, on="word")
            lift = (pl.col("here") / size) / (pl.col("of") / n)
            sure = (pl.col("here") >= 3) & (lift >= 2.0) | (pl.col("word") == first)
            weight = (lift.log(2.0).clip(0.1) * 1000).round().cast(pl.Int64)
            found.append(beside.filter(sure).select(topic=pl.lit(first), word="word", weight=weight, here="here"))
            gone = left.filter(word=first).select("id")
            left = left.join(gone, on="id", how="anti")
        empty = pl.DataFrame(schema={"topic": pl.String, "word": pl.String, "weight": pl.Int64, "here": pl.UInt32})
        return pl.concat([empty, *found])


def _names(topics: pl.DataFrame, each: pl.DataFrame) -> pl.DataFrame:
    """`topic`, `name`: the words that say most of it, each as it is written most often; the word it began with leads."""
    forms = each.group_by("word", "said").agg(times=pl.len())
    usual = forms.sort(["times", "said"], descending=[True, False]).group_by("word", maintain_order=True).first()
    ranked = topics.join(usual.select("word", "said"), on="word").with_columns(
        leads=pl.col("word") == pl.col("topic"), strength=pl.col("weight") * pl.col("here")
    )
    ranked = ranked.sort(["leads", "strength", "word"], descending=[True, True, False])
    named = ranked.group_by("topic", maintain_order=True).agg(pl.col("said").unique(maintain_order=True).head(NAMED))
    return named.select("topic", name=pl.col("said").list.join(", "))
