"""Tool use: what a model called, what came back and what it said, checked against the tools it was offered."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import orjson
import polars as pl

from flywheel.errors import Unreadable
from flywheel.formats.messages import calls_of, functions_of
from flywheel.formats.tool_schemas import faults
from flywheel.kinds import Formed, SetKind
from flywheel.records import message_digest
from flywheel.sets.cot import found_at
from flywheel.sets.sft import Sft

ORIGINS = {
    "logged": "observed",
    "observed": "observed",
    "demonstrated": "self_reported",
    "self_reported": "self_reported",
    "synthesized": "synthetic",
    "distilled": "synthetic",
    "augmented": "synthetic",
}
"""How a row came about -> what a trajectory of it is: seen as it happened, told by a person, or made up."""


class ToolUse(SetKind):
    """One example for each request that was met with tools: everything since the user last spoke is the completion.

    A call that stands in a later call's history is part of that trajectory and no example of its own. Rows are left out
    as NO_TOOLS, NO_TOOL_CALL, UNFINISHED (the reply is itself a call), UNKNOWN_TOOL, ARGS_SCHEMA (arguments are no JSON
    object, or break the tool's JSON Schema), TOOL_SCHEMA (that schema cannot be used), ORPHAN_TOOL_ID (a result answers no
    open call, or two calls share an id) and UNANSWERED_CALL.

    What a person would do is not always what a model does best: of the verified trajectories of one task the one with the fewest
    calls (then the fewest characters) is taken, and the others are left out as LONGER_TRAJECTORY, with the one kept instead.
    """

    use: Literal["tool_use"] = "tool_use"
    require_feedback: bool = False
    """Take only replies with a sign of approval."""
    choose: Literal["shortest", "all"] = "shortest"
    """Of several trajectories of one task, the shortest one or all of them."""
    task: str | None = None
    """Where the name of the task stands in the metadata of a call: a key, or a path with dots. Without it, trajectories that answer
    the very same prompt with the same tools are of one task. Of a named task every call of the conversation counts."""
    verified: str | None = None
    """Where the metadata says how it ended, such as `reward`: true, or a number of at least 1, is a success; anything else is
    left out as UNVERIFIED. Without it, a trajectory that keeps to the tools' schemas counts as verified."""
    origins: tuple[Literal["observed", "self_reported", "synthetic"], ...] = ("observed", "self_reported", "synthetic")
    """Which trajectories are taken: seen as they happened (logged), told by a person afterwards, or made up by a generator. Others
    are left out as OTHER_ORIGIN."""

    absent: ClassVar[str] = "not_eligible"

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        plain = Sft(name=self.name, use_corrections=False, require_feedback=self.require_feedback)
        picked = plain.pick(pool, labels, comparisons)
        if len(set(self.origins)) == len(set(ORIGINS.values())):
            return picked
        of = pool.select("id", kind=pl.col("origin").replace_strict(ORIGINS, default="synthetic")).collect()
        other = ~picked.join(of, on="id", how="left", maintain_order="left")["kind"].is_in(self.origins)
        no = pl.col("reasons").list.concat(pl.lit(["OTHER_ORIGIN"]))
        return picked.with_columns(reasons=pl.when(other).then(no).otherwise("reasons"))

    def forms(self) -> bool:
        return True

    def formed_surely(self) -> pl.Expr:
        return pl.when(pl.col("tools").is_null()).then(pl.lit("NO_TOOLS"))

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """Everything up to the user's last message is the prompt; every call of both sides is checked."""
        messages = [*prompt, *completion]
        asked = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1) + 1
        try:
            schemas = {f["name"]: f.get("parameters") for f in functions_of(row)}
        except (Unreadable, orjson.JSONDecodeError):
            return Formed(reasons=("TOOL_SCHEMA",))
        if not schemas:
            return Formed(reasons=("NO_TOOLS",))
        if not any(m["tool_calls"] for m in messages[asked:]):
            return Formed(reasons=("NO_TOOL_CALL",))
        found = [f for m in messages for f in _call_faults(m, schemas)] + _id_faults(messages)
        found += ["UNFINISHED"] if messages[-1]["tool_calls"] else []
        found += ["NO_PROMPT"] if asked == 0 else []
        found += ["UNVERIFIED"] if self.verified and not _succeeded(found_at(row["metadata"], self.verified)) else []
        if found:
            return Formed(reasons=tuple(dict.fromkeys(found)))
        task, cost = self._compared(messages[:asked], messages[asked:], row)
        return Formed(messages[:asked], messages[asked:], task=task, cost=cost)

    def _compared(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> tuple[str | None, tuple[float, ...]]:
        """The task, and the calls and characters it took; no task where none are compared."""
        if self.choose == "all":
            return None, ()
        task = f"task {found_at(row['metadata'], self.task)}" if self.task else message_digest(prompt, row["tools"])
        if task == "task None":
            return None, ()
        path = [*prompt, *completion] if self.task else completion  # a named task is all that was done for it
        calls = sum(len(_ids(m["tool_calls"])) for m in path)
        return task, (calls, sum(len(m["content"] or "") + len(m["tool_calls"] or "") for m in path))


def _succeeded(outcome: str | None) -> bool:
    """Whether an outcome, as text, is true or at least 1."""
    try:
        return outcome is not None and (outcome.lower() == "true" or float(outcome) >= 1.0)
    except ValueError:
        return False


def _call_faults(fields: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    """What is wrong with the calls of one message."""
    try:
        calls = calls_of(fields)
    except (Unreadable, orjson.JSONDecodeError):
        return ["ARGS_SCHEMA"]
    return [
        fault
        for _, name, arguments in calls
        for fault in (faults(schemas[name], arguments) if name in schemas else ["UNKNOWN_TOOL"])
    ]


def _id_faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Results that answer no open call, ids used twice at once, and calls nobody answered before somebody else spoke."""
    pending: set[str] = set()
    found: list[str] = []
    for m in messages:
        if m["role"] == "tool":
            if m["tool_call_id"] in pending:
                pending.discard(m["tool_call_id"])
            else:
                found.append("ORPHAN_TOOL_ID")
            continue
        found += ["UNANSWERED_CALL"] if pending else []
        ids = _ids(m["tool_calls"])
        found += ["ORPHAN_TOOL_ID"] if None in ids or len(set(ids)) < len(ids) else []
        pending = {i for i in ids if i is not None}
    return found


def _ids(tool_calls: str | None) -> list[str | None]:
    """The id of each call, whatever its arguments are; none where the calls are no JSON list."""
    try:
        calls = orjson.loads(tool_calls or "[]")
    except orjson.JSONDecodeError:
        return []
    return [c.get("id") for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
