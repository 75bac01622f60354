"""In which form the answer is wanted, or given."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import asked, last_reply
from flywheel.texts.signs import sign

HEAD, TAIL = 600, 600
"""Characters of the beginning and the end of the user's message that are looked at."""
REPLY = 4000
"""Characters of the reply that are looked at."""
_GIVE = r"\b(?:return|respond|reply|answer|output|give|provide|produce|format(?:ted)?|write|generate|create|make|present|show|use|convert|put|list|print)\b[^.?!\n]{0,60}"
ASKED_FOR: Final[Mapping[str, str]] = {
    "json": rf"{_GIVE}\bjson\b|\bjson (?:only|format|object|array|output|schema)\b|\b(?:as|in) (?:a |an |valid |pure |strict )*json\b|json ?(?:으로|형식|형태|객체|배열|만)",
    "table": rf"{_GIVE}\btable\b|\b(?:as|in|into) (?:a |an )?(?:\w+ )?(?:table|tabular form)\b|표(?:로| 형식| 형태)|표를? ?(?:만들|작성|그려)",
    "list": rf"{_GIVE}\b(?:bullet(?:ed)?|numbered|bullets|list of|list)\b|\b(?:as|in) (?:a |an )?(?:\w+ )?(?:list|bullet points?|bullets)\b|^\W*list\b|목록|리스트(?:로| 형)|나열|글머리|번호를? ?(?:붙|매)|[0-9]가지",
    "code": rf"{_GIVE}\b(?:function|script|code|program|class|query|regex|sql|html|css|unit tests?)\b|(?:코드|함수|스크립트|쿼리|프로그램)[을를]? ?(?:\S+ )?(?:작성|짜|만들|구현)",
}
"""Form -> how people ask for it; the first that is asked for counts."""
BULLET = r"(?m)^[ \t]*(?:[-*•‣·]|\d{1,3}[.)])[ \t]+\S"
FORMS = ("json", "table", "list", "code", "prose")


class OutputFormat(Signal, frozen=True):
    """`json`, `table`, `list`, `code` or `prose`: the form the last message of the user asks for; where it asks for none, that of
    the reply.

    A reply is JSON where it begins and ends as an object or array or is one fenced block of it; a table where it has a row of
    Markdown's rules; code where most of it is fenced; a list where at least two, and most, of its lines begin with a mark.
    """

    use: Literal["output_format"] = "output_format"
    gives: ClassVar[Mapping[str, Any]] = {"output_format": pl.String}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"output_format": FORMS}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        text = asked().str.strip_chars()
        ends = pl.concat_str([text.str.slice(0, HEAD), pl.lit("\n"), text.str.slice(-TAIL)])
        short = pl.when(text.str.len_chars() > HEAD + TAIL).then(ends).otherwise(text)
        read = rows.select("id", text=short, said=last_reply().str.slice(0, REPLY).str.strip_chars())
        low = pl.col("text").str.to_lowercase()
        wanted = [pl.when(low.str.contains(sign(rule))).then(pl.lit(form)) for form, rule in ASKED_FOR.items()]
        by_words = read.select("text").unique().select("text", wanted=pl.coalesce(*wanted))
        by_form = read.select("said").unique().select("said", given=_given())
        told = read.join(by_words, on="text", how="left", maintain_order="left").join(
            by_form, on="said", how="left", maintain_order="left"
        )
        return told.select("id", output_format=pl.coalesce("wanted", "given"))


def _given() -> pl.Expr:
    said = pl.col("said")
    whole = said.str.contains(r"(?s)^(?:\{\s*[\"}].*\}|\[\s*[\[{\"\d\]].*\])$")
    fenced = said.str.contains(r"(?s)^```(?:json|JSON)\s*\n.*\n```$")
    rules = said.str.contains(r"(?m)^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*\|?[ \t]*$")
    blocks = said.str.extract_all(r"(?s)```.*?(?:```|$)").list.join("").str.len_chars()
    lines, bullets = said.str.count_matches(r"(?m)^[ \t]*\S"), said.str.count_matches(BULLET)
    return (
        pl.when(whole | fenced)
        .then(pl.lit("json"))
        .when(rules)
        .then(pl.lit("table"))
        .when((blocks > 0) & (blocks * 2 >= said.str.len_chars()))
        .then(pl.lit("code"))
        .when((bullets >= 2) & (bullets * 2 >= lines))
        .then(pl.lit("list"))
        .otherwise(pl.lit("prose"))
    )
