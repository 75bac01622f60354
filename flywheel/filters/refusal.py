"""Replies in which the assistant declines to help."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply, reply


class Refusal(Filter, frozen=True):
    """Do not imitate a reply that is a stated refusal, or that begins with one of these phrases or soon comes to it."""

    use: Literal["refusal"] = "refusal"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    phrases: tuple[str, ...] = (
        "i cannot help",
        "i can't help",
        "i can not help",
        "i cannot assist",
        "i can't assist",
        "i'm unable to help",
        "i am unable to help",
        "i'm unable to assist",
        "i am unable to assist",
        "i'm not able to help",
        "i am not able to help",
        "i won't help",
        "i cannot provide",
        "i can't provide",
        "i cannot fulfill",
        "i can't fulfill",
        "as an ai language model, i cannot",
        "as an ai language model, i can't",
        "도와드릴 수 없",
        "도와 드릴 수 없",
        "도움을 드릴 수 없",
        "도움을 드리기 어렵",
        "답변드릴 수 없",
        "답변해 드릴 수 없",
        "제공해 드릴 수 없",
        "제공할 수 없습니다",
    )
    """In lower case, with straight apostrophes."""
    within: int = Field(default=200, ge=1)
    """Characters from the start in which a phrase counts: later it is a remark inside an answer."""

    def reject(self) -> pl.Expr:
        start = last_reply().str.slice(0, self.within).str.to_lowercase().str.replace_all("’", "'", literal=True)
        said = start.str.contains_any([p.lower() for p in self.phrases])
        return said | (reply().struct.field("refusal").fill_null("") != "")
