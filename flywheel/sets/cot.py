"""Chain of thought: the reasoning apart from the answer, kept only where the answer is the right one."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Literal

import orjson
import polars as pl
from pydantic import field_validator

from flywheel.kinds import Formed, SetKind
from flywheel.records import message
from flywheel.sets.sft import Sft

THOUGHT = re.compile(r"^\s*<think>(.*?)</think>\s*(.*)$", re.S)
NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


class Cot(SetKind):
    """One example for each reply whose reasoning ends in the expected answer. The reasoning is a field of its own.

    Reasoning is what the model sent as such, what stands in <think> tags, or what stands before the last `answer_mark`.
    Rows are left out as NO_EXPECTED_ANSWER, NO_REASONING, NO_ANSWER and ANSWER_MISMATCH.
    """

    use: Literal["cot"] = "cot"
    expected: str = "answer"
    """Where the right answer stands in the metadata of a call: a key, or a path with dots."""
    compare: Literal["number", "text"] = "number"
    """`number`: the last number of the answer equals that of the expected one (1,000.0 is 1000). `text`: the same words,
    whatever their case and spacing."""
    answer_mark: str = r"####|(?i:the (?:final )?answer is:?)"
    """Regular expression of the words before the answer; the last of them counts."""
    require_feedback: bool = False
    """Take only replies with a sign of approval."""

    absent: ClassVar[str] = "not_eligible"

    @field_validator("answer_mark")
    @classmethod
    def _regular(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as e:
            raise ValueError(f"answer_mark is no regular expression: {e}") from None
        return pattern

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        plain = Sft(name=self.name, use_corrections=False, require_feedback=self.require_feedback)
        return plain.pick(pool, labels, comparisons)

    def forms(self) -> bool:
        return True

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """The reply as reasoning and answer, where the answer verifies."""
        expected = found_at(row["metadata"], self.expected)
        if expected is None:
            return Formed(reasons=("NO_EXPECTED_ANSWER",))
        reply = completion[-1]
        reasoning, answer = self.parted(reply["reasoning"], reply["content"] or "")
        if not reasoning.strip():
            return Formed(reasons=("NO_REASONING",))
        if not answer.strip():
            return Formed(reasons=("NO_ANSWER",))
        if not self.agrees(answer, expected):
            return Formed(reasons=("ANSWER_MISMATCH",))
        return Formed(prompt, [message({**reply, "content": answer, "reasoning": reasoning, "parts": None})])

    def parted(self, reasoning: str | None, text: str) -> tuple[str, str]:
        """Reasoning and answer of a reply; the answer is the whole text where nothing tells them apart."""
        if reasoning is not None:
            return reasoning, text
        if thought := THOUGHT.match(text):
            return thought.group(1).strip(), thought.group(2).strip()
        marks = list(re.finditer(self.answer_mark, text))
        return (text[: marks[-1].start()].strip(), text[marks[-1].end() :].strip()) if marks else ("", text)

    def agrees(self, answer: str, expected: str) -> bool:
        """Whether an answer is the expected one."""
        if self.compare == "text":
            return _words(answer) == _words(expected)
        number = last_number(answer)
        return number is not None and number == last_number(expected)


def last_number(text: str) -> Decimal | None:
    """The last number written in a text, without its thousands separators."""
    numbers = NUMBER.findall(text)
    try:
        return Decimal(numbers[-1].replace(",", "")) if numbers else None
    except InvalidOperation:
        return None


def found_at(metadata: str | None, path: str) -> str | None:
    """The value at a path in JSON, as text; None where there is none."""
    try:
        place = orjson.loads(metadata or "{}")
    except orjson.JSONDecodeError:
        return None
    for step in path.split("."):
        place = place.get(step) if isinstance(place, dict) else None
    return None if place is None or isinstance(place, dict | list) else str(place)


def _words(text: str) -> list[str]:
    return text.strip().rstrip(".").casefold().split()
