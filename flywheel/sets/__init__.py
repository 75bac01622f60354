"""One kind of finetuning set per file, and the two tables they speak in."""

import polars as pl

from flywheel.kinds import SetKind, choice, discover
from flywheel.records import MESSAGE, conform

PICKED = pl.Schema(
    {
        "id": pl.String(),  # of the example; the conversation's where one conversation makes one example
        "parents": pl.List(pl.String),  # ids of every conversation it is made of
        "reasons": pl.List(pl.String),  # why it is no example; empty for an example
        "instead": pl.String(),  # the example kept in its place, where there is one
        "prompt_of": pl.String(),  # conversation whose messages but the last, and tools, are the prompt
        "completion_of": pl.String(),  # conversation whose last message is the completion (the chosen one)
        "correction": pl.String(),  # the completion as text, where a person wrote it; then completion_of is null
        "learned_replies": pl.List(
            pl.String
        ),  # sessions.said of earlier replies that are learned, too; null: the completion alone
        "rejected_of": pl.String(),  # conversation whose last message is the rejected reply
        "label": pl.Boolean(),  # desired or not (KTO)
        "score": pl.Float64(),  # normalised
        "raw_score": pl.Float64(),  # as given
        "signal": pl.String(),  # which kind of feedback made it an example; null where none was needed
        "weight": pl.Float64(),
        "feedback": pl.List(pl.String),  # ids of the feedback events behind it
    }
)

EXAMPLES = pl.Schema(
    {
        "id": pl.String(),
        "digest": pl.String(),  # of prompt, tools, completion and rejected reply
        "system_prompt_sha": pl.String(),  # of the instructions as logged, whatever became of them; null where there were none
        "kind": pl.String(),  # the set kind
        "parents": pl.List(pl.String),
        "prompt": pl.List(MESSAGE),
        "learned": pl.List(
            pl.Boolean
        ),  # of each message of the prompt, whether it is learned, too; null: the completion alone
        "completion": pl.List(MESSAGE),
        "step_labels": pl.List(
            pl.Boolean
        ),  # of each message of the completion, whether that step is right; stepwise sets
        "rejected": pl.List(MESSAGE),  # null but in preference sets
        "tools": pl.String(),
        "label": pl.Boolean(),
        "score": pl.Float64(),
        "raw_score": pl.Float64(),
        "signal": pl.String(),
        "weight": pl.Float64(),
        "feedback": pl.List(pl.String),
        "origin": pl.String(),  # logged, or demonstrated where a person wrote the completion
        "source": pl.String(),  # what the conversation behind the prompt was read from
        "licence": pl.String(),  # of the document, as its metadata says; corpus sets
        "cell": pl.String(),  # the cell of the mix it fills, "axis=value, …"; "" where the set has no mix
        "group": pl.String(),  # split group: everything that shares a conversation, user or duplicate cluster
        "split": pl.String(),  # train | validation
    }
)

TEXTS = ("prompt", "completion", "rejected", "tools")
"""The columns of EXAMPLES that hold text of people and models, for which the digest of an example speaks."""
REJECTED_EXAMPLES = pl.Schema(
    {
        "id": pl.String(),  # of the example that was refused, or of the conversation that gives none
        "parents": pl.List(pl.String),
        "reasons": pl.List(pl.String),
        "instead": pl.String(),  # the example kept in its place, where one is
    }
)


def as_logged(rows: pl.LazyFrame, **columns: pl.Expr | str) -> pl.DataFrame:
    """PICKED of conversations, each an example of its own prompt and reply. `columns`: further ones of PICKED, `reasons` at least."""
    own = rows.select("id", parents=pl.concat_list("id"), prompt_of="id", completion_of="id", weight=1.0, **columns)
    return conform(own, PICKED).sort("id").collect()


SETS = discover(__name__, SetKind)
AnySet = choice(SETS)
