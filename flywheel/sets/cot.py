"""Chain of thought: the reasoning apart from the answer, kept only where the answer is the right one."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
import polars as pl
from pydantic import field_validator

from flywheel.errors import RecipeInvalid
from flywheel.kinds import Formed, SetKind
from flywheel.lineage import Step
from flywheel.protection import benchmark_items
from flywheel.records import message
from flywheel.sets.sft import Sft
from flywheel.texts.final_answers import agree, boxed, words_of
from flywheel.texts.marks import around_last, fit

THOUGHT = re.compile(r"^\s*<think>(.*?)</think>\s*(.*)$", re.S)


class Cot(SetKind):
    """One example for each reply whose reasoning ends in the expected answer. The reasoning is a field of its own.

    Reasoning is what the model sent as such, what stands in <think> tags, or what stands before the last `answer_mark`; of a text
    with \\boxed{…}, all of it, and the answer is what is in the box.
    Rows are left out as NO_EXPECTED_ANSWER, NO_REASONING, NO_ANSWER and ANSWER_MISMATCH.
    """

    use: Literal["cot"] = "cot"
    expected: str = "answer"
    """Where the right answer stands in the metadata of a call: a key, or a path with dots."""
    answers: str | None = None
    """A file of right answers for calls that do not say theirs: JSON Lines, plain or gzip, named from the recipe's folder; what the
    user last said is looked up in its questions, white space and case aside."""
    answers_field: str = "answer"
    """The field of that file that holds the answer, such as GSM8K's solution with its ####."""
    compare: Literal["number", "choice", "text", "exact"] = "number"
    """`number`: the last number of the answer equals that of the expected one (1,000.0 is 1000, 1/2 is 0.5). `choice`: the same
    letter from A to J. `text`: the same words, whatever their case and spacing. `exact`: the same characters. Of both sides what
    follows #### or is in a box counts, where there is such a thing."""
    answer_mark: str = r"####|(?i:the (?:final )?answer is:?)"
    """Regular expression of the words before the answer, as `matches` takes it; the last of them counts."""
    require_feedback: bool = False
    """Take only replies with a sign of approval."""

    version: ClassVar[int] = 2
    absent: ClassVar[str] = "not_eligible"

    def located(self, folder: Path) -> SetKind:
        if self.answers:
            answers_in(folder / self.answers, self.answers_field)  # which says what is wrong with the file
        return super().located(folder)

    def step(self) -> Step:
        # Content counts, not where it lies: a moved home gives the same lineage.
        step = super().step()
        if self.answers is None:
            return step
        known = {"sha256": benchmark_items.digest(self.at(self.answers))}
        return step.model_copy(update={"parameters": step.parameters | {"answers": known}})

    @field_validator("answer_mark")
    @classmethod
    def _regular(cls, pattern: str) -> str:
        return fit(pattern, "answer_mark")

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
        if expected is None and self.answers:
            asked = next((m["content"] for m in reversed(prompt) if m["role"] == "user"), None) or ""
            expected = answers_in(self.at(self.answers), self.answers_field).get(words_of(asked))
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
        if around := around_last(text, self.answer_mark):
            before, after = around
            return before.strip(), after.strip()
        inside = boxed(text)
        return ("", text) if inside is None else (text.strip(), inside)

    def agrees(self, answer: str, expected: str) -> bool:
        """Whether an answer is the expected one."""
        return agree(answer, expected, self.compare)


def answers_in(path: Path, field: str) -> Mapping[tuple[str, ...] | None, str]:
    """The words of each question of a file -> its answer. Raises `RecipeInvalid` where the file cannot be read or has no such field."""
    try:
        stamp = path.stat()
        return _answers(path, field, stamp.st_mtime_ns, stamp.st_size)
    except OSError as e:
        raise RecipeInvalid(
            f"the file of answers {path} cannot be read: {e.strerror}. Files are named relative to the recipe's folder."
        ) from None


@lru_cache(maxsize=8)
def _answers(path: Path, field: str, modified: int, size: int) -> Mapping[tuple[str, ...] | None, str]:
    found = {words_of(question): answer for question, answer in benchmark_items.answered(path, field)}
    if not found:
        raise RecipeInvalid(
            f'the file of answers {path} has no question with a text or number in "{field}". Name that field: answers_field = "…".'
        )
    return found


def place_at(metadata: str | None, path: str) -> Any:
    """The value at a path in JSON; None where there is none."""
    try:
        place = orjson.loads(metadata or "{}")
    except orjson.JSONDecodeError:
        return None
    for step in path.split("."):
        place = place.get(step) if isinstance(place, dict) else None
    return place


def found_at(metadata: str | None, path: str) -> str | None:
    """The value at a path in JSON, as text; None where there is none."""
    place = place_at(metadata, path)
    return None if place is None or isinstance(place, dict | list) else str(place)
