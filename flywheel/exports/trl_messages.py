"""TRL's conversational language modelling: whole conversations as `messages`, for `assistant_only_loss`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.exports.trl import Trl
from flywheel.formats.messages import earlier_replies
from flywheel.kinds import Export


class TrlMessages(Export):
    """Lines of `messages`, as the format `trl` has them. Train with `assistant_only_loss=True` and a template with generation
    tags: every reply of the conversation is learned then. A session in which a reply is not to be learned is refused."""

    use: Literal["trl_messages"] = "trl_messages"

    takes: ClassVar[tuple[str, ...]] = ("sft", "tool_use", "cot")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        refuse_unlearned(example)
        line = Trl().render(example)
        return {"messages": [*line.pop("prompt"), *line.pop("completion")], **line}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        kept = {what for what in Trl().losses(example) if what != "earlier replies that are learned"}
        return sorted(kept | earlier_replies(example))

    def reader(self) -> str:
        return Trl.reader()

    def validate_file(self, path: Path) -> int:
        """Read the file back as `trl` does."""
        return Trl().validate_file(path)


def refuse_unlearned(example: Mapping[str, Any]) -> None:
    """Raise `Unreadable` where a session says of one of its replies that it is not to be learned: here every one would be."""
    learned = example.get("learned")
    if learned is not None and any(
        m["role"] == "assistant" and not kept for m, kept in zip(example["prompt"], learned, strict=True)
    ):
        raise Unreadable("reply_that_is_not_learned")
