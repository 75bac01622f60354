"""How much an instruction says of what is wanted."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import asked
from flywheel.texts.signs import sign

REFERENCES: Final[Mapping[str, str]] = {
    "example": r"\bfor (?:example|instance)\b|\be\.g\.|\bsuch as\b|\bexamples?:|예를 들|예시|예:|같은 식으로",
    "code": r"```|~~~|`[^`\n]+`",
    "list": r"(?m)^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+\S.*^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+\S",
    "quotation": r"\"[^\"\n]{3,}\"|“[^”\n]{3,}”|'[^'\n]{12,}'|「[^」\n]{2,}」",
    "number": r"\b\d+ ?(?:words?|sentences?|paragraphs?|items?|steps?|bullets?|points?|lines?|characters?|minutes?|people|%|usd|dollars|km|kg)\b|\d+ ?(?:자|단어|문장|문단|줄|개|가지|단계|명|분|원)",
    "condition": r"\b(?:must|should not|do not|don't|without|only|at (?:least|most)|no more than|make sure|ensure|avoid|instead of|unless)\b|반드시|하지 ?(?:마|말)|이내|이상|이하|제외|빼고|대신|만 사용|조건",
    "form": r"\b(?:format|tone|style|audience|json|table|markdown|bullet|headings?|formal|informal|beginner|concise)\b|형식|말투|문체|표로|독자|초보자|간결|격식",
    "heading": r"(?m)^\s{0,3}(?:#{1,4} \S|[a-z][a-z ]{2,24}:\s*$|\[[^\]\n]{2,30}\]\s*$)",
    "link": r"https?://",
}
"""What an instruction may refer to, and its signs."""


class Detail(Signal, frozen=True):
    """Whether the last message of the user is a `short` instruction or a `detailed` one, and how rich it is.

    Detailed: at least `words` words, or at least `references` of nine kinds of reference (an example, code, a list, a quotation, a
    number of things, a condition, a form, a heading, a link). Korean says as much in fewer words: a word of Hangul
    counts one and a half. `reference_kinds` is how many kinds there are.
    """

    use: Literal["detail"] = "detail"
    gives: ClassVar[Mapping[str, Any]] = {"detail": pl.String, "reference_kinds": pl.Int32}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"detail": ("short", "detailed")}
    words: int = Field(default=50, ge=1)
    """Words from which an instruction is detailed whatever it refers to."""
    references: int = Field(default=3, ge=1, le=len(REFERENCES))
    """Kinds of reference from which it is detailed however short it is."""
    characters: int = Field(default=4000, ge=100)
    """How much of the text is looked at."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = rows.select("id", text=asked().str.slice(0, self.characters))
        low = pl.col("text").str.to_lowercase()
        kinds = pl.sum_horizontal([low.str.contains(sign(rule)).cast(pl.Int32) for rule in REFERENCES.values()])
        hangul = pl.col("text").str.count_matches(r"[\x{ac00}-\x{d7a3}][^ \t\n\r]*")
        size = pl.col("text").str.count_matches(r"[^ \t\n\r]+") + hangul * 0.5
        told = (
            read.select("text")
            .unique()
            .select("text", size=size, reference_kinds=kinds)
            .with_columns(rich=(pl.col("size") >= self.words) | (pl.col("reference_kinds") >= self.references))
            .select(
                "text", "reference_kinds", detail=pl.when("rich").then(pl.lit("detailed")).otherwise(pl.lit("short"))
            )
        )
        return read.join(told, on="text", how="left", maintain_order="left").select("id", *self.gives)
