"""Replies that were never filled in."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply, user_text
from flywheel.texts import prose


class PlaceholderText(Filter, frozen=True):
    """Do not imitate a reply with dummy text or a place left open: "lorem ipsum" (C4, Raffel et al. 2020), "[your name]", "TODO:".

    Code is not looked at. Where the user speaks of a template, a letter or the placeholder itself, it may have been asked for.
    """

    use: Literal["placeholder_text"] = "placeholder_text"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    phrases: tuple[str, ...] = Field(
        default=(
            *(
                "lorem ipsum",
                "[your name",
                "[your company",
                "[your email",
                "[your phone",
                "[your address",
                "[company name]",
            ),
            *(
                "[insert ",
                "[customer name]",
                "[user name]",
                "[username]",
                "[recipient",
                "[date]",
                "[link]",
                "<insert ",
                "<your ",
            ),
            *(
                "{{name}}",
                "{{user",
                "{{customer",
                "todo:",
                "tbd:",
                "fixme:",
                "[여기에",
                "[이름]",
                "[귀하의",
                "[고객님",
                "[회사명]",
                "[날짜]",
            ),
            *("[담당자", "[링크]", "[연락처]", "○○○", "홍길동 고객님"),
        ),
        min_length=1,
    )
    """In whatever case."""
    unless: tuple[str, ...] = (
        *(
            "template",
            "placeholder",
            "lorem",
            "todo",
            "letter",
            "email",
            "e-mail",
            "resume",
            "invoice",
            "contract",
            "draft",
            "form",
        ),
        *(
            "script",
            "speech",
            "message",
            "post",
            "템플릿",
            "양식",
            "서식",
            "편지",
            "이메일",
            "메일",
            "자기소개서",
            "이력서",
            "초안",
        ),
        *("계약서", "공지", "문구", "안내문", "예시"),
    )
    """Words of the user that let it pass."""

    def reject(self) -> pl.Expr:
        phrases = [p.lower() for p in self.phrases]

        def left_open(text: str) -> bool:
            told = prose.without_code(text).lower()
            return any(p in told for p in phrases)

        def batch(replies: pl.Series) -> pl.Series:
            may = replies.str.contains_any(phrases, ascii_case_insensitive=True).fill_null(False).to_list()
            verdicts = [hit and left_open(text) for text, hit in zip(replies.to_list(), may, strict=True)]
            return pl.Series(replies.name, verdicts, dtype=pl.Boolean)

        wanted = user_text().str.contains_any(list(self.unless), ascii_case_insensitive=True)
        return last_reply().map_batches(batch, return_dtype=pl.Boolean, is_elementwise=True) & ~wanted
