"""What kind of answer a question leaves room for."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import asked
from flywheel.texts.signs import sign

HEAD, TAIL = 400, 400
"""Characters of the beginning and the end that are looked at."""
_AUX = r"(?:is|are|was|were|am|do|does|did|can|could|will|would|should|shall|has|have|had|may|might|must|isn't|aren't|don't|doesn't|didn't|can't|won't)"
ASKED_FOR = (
    r"\b(?:yes[ /-]*(?:or|/|and)?[ /-]*no|true[ /-]*(?:or|/)[ /-]*false|y/n|t/f)\b|"
    r"예 ?(?:/|또는|혹은|나|,|아니면)? ?아니[요오]|네 ?/ ?아니[요오]|\bo ?/? ?x로|참 ?(?:/|또는|인지) ?거짓|맞으면|"
    r"(?:맞는지|있는지|되는지|인지) ?(?:여부|아닌지)"
)
"""Yes or no, in so many words."""
CHOOSE = (
    r"\b(?:which (?:one )?of (?:the|these)|choose (?:one|the|from|between|an option)|select (?:one|the|from)|pick (?:one|the|from|a)|"
    r"multiple[- ]choice|options? ?:|choices ?:|answer choices|one of the following)|"
    r"다음 ?중|보기 ?[:에중]|고르[시세라]|골라|선택(?:하[시세라]|해)|둘 중|[①②③④]"
)
LETTERED = r"(?:^|\s)\(?[a1][.):]\s*\S.{1,400}?\s\(?[b2][.):]\s*\S.{1,400}?\s\(?[c3][.):]\s*\S"
"""Options with letters or numbers before them."""
POLITE = r"^\W*(?:(?:hi|hello|hey|please)\W+)?(?:can|could|would|will|may) (?:you|i|we|u)\b"
"""A request in the form of a question: nobody wants to hear "yes"."""
LAST_QUESTION = r"([^.!?\n;:,]*)[?？]\W*$"
EITHER = r"\b\w+ or \w+|아니면|혹은"
OPEN_WORD = (
    r"\b(?:who|whom|whose|what|when|where|why|which|how)\b|무엇|무슨|어떻게|어떤|언제|어디|누구|누가|왜|얼마|몇|뭐|어느"
)
KOREAN_YES_NO = r"[가-힣](?:나요|가요|까요|니까|까|니|냐|지요|죠)\s*[?？]?\W*$"
FORMS = ("yes_no", "choice", "open")


class AnswerForm(Signal, frozen=True):
    """`yes_no`, `choice` (of options that are named) or `open`: what the last message of the user wants for an answer.

    By what it says ("answer yes or no", "다음 중 고르시오", lettered options), else by the form of its last question; "Can you write
    …?" is a request, and open. English and Korean; in other languages only what is said in signs is seen.
    """

    use: Literal["answer_form"] = "answer_form"
    gives: ClassVar[Mapping[str, Any]] = {"answer_form": pl.String}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"answer_form": FORMS}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        text = asked().str.strip_chars()
        ends = pl.concat_str([text.str.slice(0, HEAD), pl.lit("\n"), text.str.slice(-TAIL)])
        read = rows.select("id", text=pl.when(text.str.len_chars() > HEAD + TAIL).then(ends).otherwise(text))
        told = read.select("text").unique().select("text", answer_form=_form())
        return read.join(told, on="text", how="left", maintain_order="left").select("id", "answer_form")


def _form() -> pl.Expr:
    said = pl.col("text").str.to_lowercase()
    last = said.str.extract(sign(LAST_QUESTION)).str.strip_chars()
    closed = last.str.contains(sign(rf"^(?:and |so |but )?{_AUX}\b")) & ~last.str.contains(sign(OPEN_WORD))
    korean = said.str.contains(sign(KOREAN_YES_NO)) & ~said.str.slice(-60).str.contains(sign(OPEN_WORD))
    either = (closed | korean) & pl.coalesce(last, said.str.slice(-60)).str.contains(sign(EITHER))
    return (
        pl.when(said.str.contains(sign(ASKED_FOR)))
        .then(pl.lit("yes_no"))
        .when(said.str.contains(sign(CHOOSE)) | said.str.contains(sign(LETTERED)))
        .then(pl.lit("choice"))
        .when(last.str.contains(sign(POLITE)).fill_null(False))
        .then(pl.lit("open"))
        .when(either.fill_null(False))
        .then(pl.lit("choice"))
        .when((closed | korean).fill_null(False))
        .then(pl.lit("yes_no"))
        .otherwise(pl.lit("open"))
    )
