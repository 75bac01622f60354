"""Whether the user makes typing and spelling mistakes."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import asked
from flywheel.texts.prose import without_code

WORDS = Path(__file__).parents[1] / "models" / "words_en.parquet"
"""84,783 English words, of which 12,002 are common. See the notice beside it."""
WORD = r"(?:^|[\s(\"])([a-z]{3,20})(?:[.,;:!?)\"]*(?:\s|$))"
"""A word all in small letters, beside white space: no name, no path, no identifier, no part of an address."""
SHORT = frozenset(
    [
        "teh",
        "hte",
        "adn",
        "nad",
        "taht",
        "thta",
        "waht",
        "wtih",
        "wiht",
        "thsi",
        "tihs",
        "yuo",
        "yuor",
        "jsut",
        "ahve",
        "hvae",
        "becuase",
        "becasue",
        "alot",
        "whcih",
        "woudl",
        "coudl",
        "shoudl",
        "thier",
        "recieve",
        "definately",
        "seperate",
        "occured",
        "untill",
        "wich",
        "wierd",
        "beleive",
        "freind",
        "tommorow",
        "tommorrow",
        "accomodate",
        "neccessary",
        "goverment",
        "enviroment",
        "publically",
        "writting",
        "begining",
    ]
)
"""Mistakes that are too short, or too far from the right word, to be found by one letter."""
KOREAN = (
    r"되요|됬|되써|안되요|않되|않돼|안됩|몇일|왠만|웬지|어의없|금새|설겆|할께|갈께|줄께|올께|볼께|먹을께|있을께|할꺼|갈꺼|꺼에요|거에요|읍니다|읍니까|"
    r"문안하|희안|오랫만|역활|어떻해|어떡게|일부로|구지 |궂이|무릎쓰|병이 낳|감기 낳|빨리 낳|바램|깨끗히|곰곰히|틈틈히|일일히|솔직이|뵈요|봬겠|"
    r"가르켜|맞추어 ?정답|예기하|얘기 ?꺼|통채|댓가|갯수|촛점|헛갈려서요|겉잡을|어짜피|요컨데|핼쓱|쓸대없|대게는|"
    r"[가-힣][ㅏ-ㅣㄱ-ㅊㅌ-ㅎ][가-힣]|[가-힣]ㅔ요|[가-힣]ㅛ(?:$|[\s.,!?])|ㅇㅏ|ㄴㅣ"
)
"""Korean words as they are often written and should not be, and letters left over in the middle of a word; ㅋ is laughter."""
KOREAN_WORD = r"[가-힣ㄱ-ㅣ]{2,}"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Typos(Signal, frozen=True):
    """`some` or `none`: whether the last message of the user has typing or spelling mistakes. `typo_rate`: mistakes per word.

    English: a word in small letters that a list of 84,783 words does not know, and that one changed, missing, added or
    swapped letter makes a common word of at least four letters. Korean: frequent wrong spellings (됬, 몇일, 할께) and single letters
    left over inside words. Code is not read. Both are null where the message has fewer than `min_words` words that can be
    judged, so that other languages have no value. American and British spellings are both right.
    """

    use: Literal["typos"] = "typos"
    gives: ClassVar[Mapping[str, Any]] = {"typos": pl.String, "typo_rate": pl.Float64}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset(gives)
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"typos": ("some", "none")}
    min_words: int = Field(default=3, ge=1)
    """Words that can be judged, below which there is no value."""
    min_known: float = Field(default=0.6, ge=0.0, le=1.0)
    """Share of the English words that must be known or mistaken: below it the text is in another language."""
    characters: int = Field(default=2000, ge=50)
    """How much of the text is looked at."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = rows.select("id", text=asked().str.slice(0, self.characters)).collect()
        texts = read["text"].unique()
        return read.join(self._judged(texts), on="text", how="left", maintain_order="left").drop("text").lazy()

    def _judged(self, texts: pl.Series) -> pl.DataFrame:
        """`text`, `typos`, `typo_rate` of each text."""
        prose = [without_code(t) if "`" in t or "~~~" in t else t for t in texts.to_list()]
        told = pl.DataFrame({"text": texts, "prose": pl.Series(prose, dtype=pl.String)}).with_row_index("at")
        # Each word shares its white space with the next: doubled, every one has its own.
        spaced = pl.col("prose").str.replace_all(r"\s+", "  ").str.extract_all(WORD)
        each = told.select("at", word=spaced).explode("word").drop_nulls()
        each = each.with_columns(word=pl.col("word").str.extract(r"([a-z]+)"))
        known = each.join(_words(), on="word", how="left").with_columns(known=pl.col("common").is_not_null())
        strange = known.filter(~pl.col("known"))["word"].unique()
        wrong = [w for w in strange.to_list() if mistaken(w)]
        judged = known.with_columns(wrong=pl.col("word").is_in(wrong))
        english = judged.group_by("at").agg(
            words=pl.len(), wrong=pl.col("wrong").sum(), sure=(pl.col("known") | pl.col("wrong")).mean()
        )
        counted = told.join(english, on="at", how="left", maintain_order="left").with_columns(
            hangul=pl.col("prose").str.count_matches(KOREAN_WORD), slips=pl.col("prose").str.count_matches(KOREAN)
        )
        here = (pl.col("sure") >= self.min_known).fill_null(False)
        words = pl.when(here).then("words").otherwise(0) + pl.col("hangul")
        mistakes = pl.when(here).then("wrong").otherwise(0) + pl.col("slips")
        enough = words >= self.min_words
        kind = pl.when(mistakes > 0).then(pl.lit("some")).otherwise(pl.lit("none"))
        return counted.select(
            "text",
            typos=pl.when(enough).then(kind),
            typo_rate=pl.when(enough).then((mistakes / words).clip(0, 1).round(6)),
        )


@cache
def _words() -> pl.DataFrame:
    return pl.read_parquet(WORDS)


@cache
def _sets() -> tuple[frozenset[str], frozenset[str]]:
    words = _words()
    return frozenset(words["word"].to_list()), frozenset(words.filter("common")["word"].to_list())


@cache
def mistaken(word: str) -> bool:
    """Whether a word in small letters is one letter away from a common word, and no word itself."""
    known, common = _sets()
    if word in SHORT:
        return True
    if word in known or len(word) < 4 or re.fullmatch(r"(.)\1*|[hae]+|(?:ha|he|lo)+l?", word):
        return False
    if _inflected(word, known):
        return False
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    swapped = (a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1)
    shorter = (a + b[1:] for a, b in cuts if b)
    changed = (a + c + b[1:] for a, b in cuts if b for c in LETTERS)
    longer = (a + c + b for a, b in cuts for c in LETTERS)
    # A word that differs in its first letter is rather another word.
    return any(w in common for group in (swapped, shorter, changed, longer) for w in group if w[:1] == word[:1])


def _inflected(word: str, known: frozenset[str]) -> bool:
    """Whether it is a known word with an ending or a beginning that lists leave out."""
    for end in ("s", "es", "ed", "d", "er", "ers", "ing", "ly", "able", "ness", "ish", "less", "like"):
        stem = word.removesuffix(end)
        if stem != word and len(stem) > 2 and (stem in known or (end[0] in "ei" and stem + "e" in known)):
            return len(stem) > 3 or end in ("s", "ed", "ing")
    return any(
        word.startswith(p) and word[len(p) :] in known
        for p in ("un", "re", "non", "pre", "over", "sub", "multi", "anti", "auto")
    )
