"""Few-shot prompts: each example shown in one becomes a row in the short form, which is all a finetuned model has to see."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.formats.prompts import PromptInvalid, few_shot
from flywheel.kinds import Source
from flywheel.logs.exchange import native_id, take_moment, take_text, to_json
from flywheel.records import message


class FewShotPrompts(Source, frozen=True):
    """Reads `{"few_shot": "…", "id": …, "created_at": …, "app": …}`, a prompt with its examples; further keys are kept.

    A row for each example: its input with the separator, and its output. The instruction, the placeholder and what every line
    begins with are not in it; they stand in its metadata. A person wrote them: their origin is demonstrated.
    """

    use: Literal["few_shot"] = "few_shot"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"
    origin: ClassVar[Literal["logged", "demonstrated"]] = "demonstrated"

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line that names a few-shot prompt."""
        return "few_shot" in line

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """One row per example shown. Raises `Unreadable`: bad_few_shot (with what is wrong), no_timestamp, bad_timestamp."""
        rest = dict(line)
        prompt = rest.pop("few_shot")
        try:
            taken = few_shot(prompt if isinstance(prompt, str) else "")
        except PromptInvalid as e:
            raise Unreadable("bad_few_shot", str(e)) from None
        if (when := take_moment(rest)) is None:
            raise Unreadable("no_timestamp", "the line does not say when the prompt was written; add created_at")
        shared = {
            "native_id": take_text(rest, "id", "prompt_name") or native_id(line),
            "occurred_at": when,
            "app": take_text(rest, "app", "application"),
            "user": take_text(rest, "user_id", "user"),
            "status": "ok",
            "metadata": to_json(rest | {"instruction": taken.instruction, "slot": taken.slot, "prefix": taken.prefix}),
        }
        return [
            {**shared, "choice": n, "messages": [message({"role": "user", "content": asked}), _answer(said)]}
            for n, (asked, said) in enumerate(taken.rows)
        ]


def _answer(text: str) -> dict[str, str | None]:
    return message({"role": "assistant", "content": text})
