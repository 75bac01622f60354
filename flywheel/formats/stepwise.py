"""Lines of stepwise supervision: a prompt, its steps, and a label for each, as process reward trainers read them (TRL, Axolotl)."""

from collections.abc import Mapping
from typing import Any

from flywheel.errors import Unreadable
from flywheel.formats.messages import text_of


def stepwise_line(example: Mapping[str, Any]) -> dict[str, Any]:
    """`prompt`, `completions` and `labels`. The form is plain text: a prompt of several turns, or with tools, is refused."""
    if any(m["role"] in ("assistant", "tool") for m in example["prompt"]):
        raise Unreadable("prompt_is_several_turns")
    steps, labels = [text_of(m) for m in example["completion"]], example["step_labels"]
    if labels is None or len(labels) != len(steps):
        raise Unreadable("steps_without_labels")
    return {"prompt": "\n\n".join(text_of(m) for m in example["prompt"]), "completions": steps, "labels": labels}
