"""Which rows ask the same, and which are answered the same."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import reply
from flywheel.texts.passages import hashed
from flywheel.texts.words import letters


class SameQuestion(Signal, frozen=True):
    """Name the rows that ask the same, and those that are answered the same, by the smallest id of each group.

    Case, spacing and punctuation do not count. What came before in the conversation, the instructions and the version of the
    prompt are part of a question: the same words under another system prompt are another question. With this signal in the
    recipe there is the asset `conflicts`.
    """

    use: Literal["same_question"] = "same_question"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    on_request: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset({"question_group", "answer_group"})
    gives: ClassVar[Mapping[str, Any]] = {"question_group": pl.String, "answer_group": pl.String}
    history: bool = True
    """Whether the turns before the question are part of it; instructions always are."""

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        read = rows.select("id", question=self._question(), answer=_answer()).collect()
        return read.lazy().select("id", *[_codes(read[side]) for side in ("question", "answer")])

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        groups = [
            pl.when(pl.col(side).is_not_null()).then(pl.col("id").min().over(side)).alias(f"{side}_group")
            for side in ("question", "answer")
        ]
        return sketches.select("id", *groups)

    def _question(self) -> pl.Expr:
        one = pl.element().struct.field
        said = [
            one("role"),
            letters(one("content").fill_null("")),
            one("parts").fill_null(""),
            one("tool_calls").fill_null(""),
        ]
        asked = pl.col("messages").list.slice(0, pl.col("messages").list.len() - 1)
        if not self.history:
            told = one("role").is_in(["system", "developer"])
            asked = pl.concat_list(asked.list.eval(pl.element().filter(told)), asked.list.tail(1)).list.unique(
                maintain_order=True
            )
        turns = asked.list.eval(pl.concat_str(said, separator="\x1f")).list.join("\x1e")
        anything = (
            asked.list.eval(letters(one("content").fill_null("")) + one("parts").fill_null("")).list.join("") != ""
        )
        return pl.when(anything).then(pl.concat_str(pl.col("prompt_version").fill_null(""), turns, separator="\x1e"))


def _answer() -> pl.Expr:
    fields = [letters(reply().struct.field(f).fill_null("")) for f in ("content", "refusal")]
    calls = reply().struct.field("tool_calls").fill_null("").replace(["[]", "null"], "")
    said = pl.concat_str(*fields, calls, separator="\x1f")
    return pl.when(said.str.len_bytes() > 2).then(said)


def _codes(texts: pl.Series) -> pl.Series:
    """A hash of each text, null where there is none."""
    known = texts.drop_nulls().unique()
    codes = pl.DataFrame({texts.name: known, "code": hashed(known)})
    return texts.to_frame().join(codes, on=texts.name, how="left", maintain_order="left")["code"].alias(texts.name)
