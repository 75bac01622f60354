"""Replies that begin with a stock phrase."""

import re
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply


class BoilerplateOpener(Filter, frozen=True):
    """Do not imitate a reply that begins with one of these phrases: a model trained on it learns the phrase first.

    Marks of Markdown, quotation marks and white space before the phrase do not count.
    """

    use: Literal["boilerplate_opener"] = "boilerplate_opener"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    phrases: tuple[str, ...] = Field(
        default=(
            "as an ai language model",
            "as a large language model",
            "as an ai assistant",
            "as an artificial intelligence",
            "i'm just an ai",
            "i am just an ai",
            "i'm an ai language model",
            "i am an ai language model",
            "certainly! here",
            "certainly, here",
            "sure! here",
            "sure, here",
            "sure thing! here",
            "of course! here",
            "absolutely! here",
            "great question!",
            "that's a great question",
            "what a great question",
            "thank you for your question",
            "ai 언어 모델로서",
            "ai 언어모델로서",
            "저는 ai 언어 모델",
            "인공지능 언어 모델로서",
            "인공지능 언어모델로서",
            "저는 인공지능 언어",
            "ai로서 저는",
            "물론입니다! 다음은",
            "물론입니다! 아래",
            "물론이죠! 다음은",
            "물론이죠! 아래",
            "네, 물론입니다! 다음은",
            "좋은 질문입니다",
            "좋은 질문이네요",
            "좋은 질문이에요",
        ),
        min_length=1,
    )
    """In lower case, with straight apostrophes and single spaces."""

    def reject(self) -> pl.Expr:
        start = last_reply().str.slice(0, 400).str.to_lowercase().str.replace_all("’", "'", literal=True)
        words = start.str.replace_all(r"[ \t\r\n]+", " ").str.strip_chars_start(" *_#>\"'“‘-")
        return words.str.contains(f"^(?:{'|'.join(re.escape(p.lower()) for p in self.phrases)})")
