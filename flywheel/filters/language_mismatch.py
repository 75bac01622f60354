"""Replies in another language than the question."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Filter
from flywheel.records import all_text, last_input

_SCRIPTS = {"ko": r"[\x{ac00}-\x{d7a3}]{2}", "ja": r"[\x{3041}-\x{30ff}]{2}", "zh": r"[\x{4e00}-\x{9fff}]{2}"}


class LanguageMismatch(Filter, frozen=True):
    """Do not imitate a reply whose language is surely another than that of the message it answers.

    Where the conversation speaks of a language or a translation, or the message holds words of the reply's script too,
    another language may have been asked for: the reply stays.
    """

    use: Literal["language_mismatch"] = "language_mismatch"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    needs: ClassVar[tuple[str, ...]] = ("reply_language", "input_language")
    unless: tuple[str, ...] = (
        *(
            "translat",
            "language",
            "bilingual",
            "english",
            "korean",
            "japanese",
            "chinese",
            "mandarin",
            "french",
            "german",
        ),
        *(
            "spanish",
            "italian",
            "portuguese",
            "russian",
            "arabic",
            "hindi",
            "dutch",
            "turkish",
            "vietnamese",
            "thai",
            "latin",
        ),
        *(
            "번역",
            "통역",
            "언어",
            "영작",
            "영어",
            "한국어",
            "한글로",
            "일본어",
            "중국어",
            "프랑스어",
            "독일어",
            "스페인어",
            "불어",
        ),
        *("翻訳", "翻译", "翻譯", "英語", "英语", "日本語", "韓国語", "中文", "言語", "语言"),
        *(
            "traduc",
            "traduis",
            "tradui",
            "übersetz",
            "vertaal",
            "перевед",
            "перевод",
            "ترجم",
            "anglais",
            "inglés",
            "englisch",
        ),
    )
    """Words anywhere in the conversation that let any language pass, in whatever case."""

    def reject(self) -> pl.Expr:
        said, asked = pl.col("reply_language"), pl.col("input_language")
        differ = (said != "und") & (asked != "und") & (said != asked)
        shared = [(said == code) & last_input().str.contains(script) for code, script in _SCRIPTS.items()]
        wanted = all_text().str.contains_any(list(self.unless), ascii_case_insensitive=True)
        return differ & ~pl.any_horizontal(shared) & ~wanted
