"""The proof that training learns the assistant's turns and nothing else, in tokens of the model's own tokenizer.

Each example is rendered by the chat template and cut into tokens as transformers does for its assistant mask: a token is trained
where it stands in a span that the template marks. Turns that an example says are not learned are taken out of the mask again.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import islice
from typing import Any

import polars as pl

from flywheel.errors import Unreadable
from flywheel.formats.chat_format import ChatFormat
from flywheel.formats.chat_templates import TemplateInvalid
from flywheel.formats.messages import INSTRUCTIONS, PROMPTLESS, call_names, calls_of, every_message, text_of, tools_of
from flywheel.records import short_hash
from flywheel.storage.snapshots import Snapshot, StoredPart
from flywheel.workers import one_by_one, side_by_side

COLUMNS = ("id", "kind", "prompt", "completion", "rejected", "tools", "learned")
BATCH = 500
"""Examples tokenised at a time."""
SHOWN = 5
"""Ids told of each fault."""
WORTH_PROCESSES = 5_000
"""Examples from which several processes are worth their start."""

REFUSED, UNUSABLE = "CANNOT_RENDER", "UNUSABLE"
FAULTS = {
    "NOTHING_LEARNED": "no token is learned: put {% generation %} and {% endgeneration %} around the assistant's text",
    "EVERYTHING_LEARNED": "every token is learned, the prompt's too: put the generation tags around the assistant's text only",
    "REPLY_WITHOUT_TAGS": "the template marks another number of turns than the assistant has",
    "NO_END_OF_TURN": "the end of turn is not learned, so the model would not stop: move it inside the generation tags",
    "END_OF_TURN_IS_NO_TOKEN": "the tokenizer does not know the end of turn as one token: template and tokenizer are of two models",
    "OTHER_TEXT_LEARNED": "what is learned is not the assistant's reply: put the tags around its text, its calls and its end of turn",
    "REASONING_NOT_LEARNED": "the template shows no reasoning, and the reply has some: use one that shows reasoning_content",
    "TOKEN_OVER_EDGE": "a token reaches over the edge of a reply: add the edit trim_whitespace, or put a special token before the reply",
    "SPECIAL_TOKEN_IN_TEXT": "a message holds a special token of the tokenizer as text: add the edit strip_template_tokens",
    REFUSED: "the template refuses the messages",
    UNUSABLE: "template or tokenizer cannot be used",
}
"""What may be wrong with an example, and what to do about it."""


@dataclass(slots=True)
class Proof:
    """What was found over a number of examples."""

    examples: int = 0
    tokens: int = 0
    trained: int = 0
    longest: int = 0
    """Tokens of the longest example."""
    replies: int = 0
    """Turns of the assistant that are learned."""
    masked: int = 0
    """Turns of the assistant that are not: those of the history, and those people did not like."""
    too_long: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Code of FAULTS -> examples."""
    shown: dict[str, list[str]] = field(default_factory=dict)
    """Code -> ids of some of these examples; of refusals by the template also, why."""

    def add(self, other: "Proof") -> None:
        """Take up what was found over other examples."""
        self.longest = max(self.longest, other.longest)
        for name in ("examples", "tokens", "trained", "replies", "masked", "too_long"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        for code, ids in other.shown.items():
            self.shown[code] = [*self.shown.get(code, []), *ids][:SHOWN]

    def fault(self, code: str, id: str, why: str = "") -> None:
        """Note a fault of an example."""
        self.faults[code] += 1
        if len(known := self.shown.setdefault(code, [])) < SHOWN:
            known.append(f"{id}: {why}" if why else id)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        counts = {f.name: getattr(self, f.name) for f in fields(self)}
        return counts | {"faults": dict(sorted(self.faults.items())), "shown": dict(sorted(self.shown.items()))}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Proof":
        """From JSON."""
        return cls(**{**told, "faults": Counter(told["faults"])})


def prove(candidate: Snapshot, read: ChatFormat) -> Proof:
    """Prove the mask of every example of a set; texts without a prompt need no template. Parts are proved side by side."""
    run = side_by_side if candidate.count() >= WORTH_PROCESSES else one_by_one
    done = run([partial(prove_part, part, read) for part in candidate.parts])
    proof = Proof()
    for _, found in sorted(done, key=lambda d: d[0]):
        proof.add(found)
    return proof


def prove_part(part: StoredPart, read: ChatFormat) -> Proof:
    """Prove the mask of the examples of one part."""
    rows = part.scan()
    told = rows.filter(~pl.col("kind").is_in(PROMPTLESS))
    found = told.select(c for c in COLUMNS if c in rows.collect_schema()).collect()
    return prove_examples(found.iter_rows(named=True), read)


def prove_examples(examples: Iterator[Mapping[str, Any]], read: ChatFormat) -> Proof:
    """Prove the mask of examples, some at a time; of a pair, with either reply."""
    proof = Proof()
    special = _special(read)
    told = (e for e in examples if e["kind"] not in PROMPTLESS)
    while some := list(islice(told, BATCH)):
        proof.examples += len(some)
        batch: list[_Rendered] = []
        for example in some:
            try:
                batch += [_rendered(one, read, special) for one in _sides(example)]
            except (TemplateInvalid, Unreadable, ValueError) as e:
                proof.fault(REFUSED, example["id"], str(e))
        _judge(batch, read, proof)
    return proof


def _sides(example: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The example; of a preference pair also the one with the rejected reply."""
    return [example, {**example, "completion": example["rejected"]}] if example["rejected"] else [example]


# --- one example


@dataclass(slots=True)
class _Rendered:
    id: str
    text: str
    spans: list[tuple[int, int]]
    replies: list[Mapping[str, Any]]
    """The assistant's messages."""
    learned: list[bool]
    """Of each of them, whether the example teaches it."""
    forged: bool
    """Whether a message holds a special token as text."""


def conversation(example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Prompt and completion as a chat template takes them: arguments of calls are objects, reasoning is `reasoning_content`,
    ids of tool calls have nine letters and digits. Raises `Unreadable` for what no template can show."""
    messages = [*example["prompt"], *example["completion"]]
    names = call_names(every_message(example))
    return [_message(m, names) for m in messages]


def _message(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    role = "system" if fields["role"] in INSTRUCTIONS else fields["role"]
    told: dict[str, Any] = {"role": role, "content": text_of(fields)}
    if fields["reasoning"] is not None:
        told |= {"reasoning_content": fields["reasoning"], "thinking": fields["reasoning"]}
    if fields["tool_calls"]:
        told["tool_calls"] = [
            {"type": "function", "id": short_id(id), "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in calls_of(fields)
        ]
    if role == "tool":
        told["tool_call_id"] = short_id(fields["tool_call_id"])
        told |= {"name": name} if (name := fields["name"] or names.get(fields["tool_call_id"] or "")) else {}
    return told


def short_id(id: str | None) -> str:
    """A tool call's id as Mistral's templates demand it: itself where it has that form, else nine digits of its hash."""
    return id if id is not None and re.fullmatch("[A-Za-z0-9]{9}", id) else short_hash(id or "")[:9]


def _special(read: ChatFormat) -> re.Pattern[str] | None:
    """The special tokens that must stand in no message. Of the small tokenizer, those of this template alone."""
    mine = [t for t in read.tokenizer.special if not read.tokenizer.shipped or t in read.template.source]
    return re.compile("|".join(map(re.escape, sorted(mine, key=len, reverse=True)))) if mine else None


def _rendered(example: Mapping[str, Any], read: ChatFormat, special: re.Pattern[str] | None) -> _Rendered:
    messages = conversation(example)
    text, spans = read.template.render(messages, tools=tools_of(example))
    told = example.get("learned") or [False] * len(example["prompt"])
    learned = [*told, *(True for _ in example["completion"])]
    mine = [(m, kept) for m, kept in zip(messages, learned, strict=True) if m["role"] == "assistant"]
    forged = special is not None and any(special.search(m["content"]) for m in messages)
    return _Rendered(example["id"], text, spans, [m for m, _ in mine], [kept for _, kept in mine], forged)


def _judge(batch: Sequence[_Rendered], read: ChatFormat, proof: Proof) -> None:
    """Cut the texts into tokens and note what is wrong with each."""
    if not batch:
        return
    whole = read.tokenizer.is_token(read.template.ending)
    for one, encoding in zip(batch, read.tokenizer.encode([r.text for r in batch]), strict=True):
        n = len(encoding.ids)
        proof.tokens, proof.longest = proof.tokens + n, max(proof.longest, n)
        proof.too_long += read.max_tokens is not None and n > read.max_tokens
        places = [_tokens(encoding, a, b) for a, b in one.spans]
        if code := _fault(one, read, whole, sum(b - a for a, b in places if a >= 0), n):
            proof.fault(code, one.id)
            continue
        if any(a < 0 or not _sharp(encoding, (a, b), span) for (a, b), span in zip(places, one.spans, strict=True)):
            proof.fault("TOKEN_OVER_EDGE", one.id)
            continue
        for (a, b), kept in zip(places, one.learned, strict=True):
            proof.trained += (b - a) * kept
            proof.replies, proof.masked = proof.replies + kept, proof.masked + (not kept)


def _tokens(encoding: Any, start: int, end: int) -> tuple[int, int]:
    """First token of a span, and the one after its last; (-1, -1) where a character at its edge is in no token."""
    first, last = encoding.char_to_token(start), encoding.char_to_token(end - 1) if end > start else None
    return (-1, -1) if first is None or last is None else (first, last + 1)


def _sharp(encoding: Any, place: tuple[int, int], span: tuple[int, int]) -> bool:
    """Whether no token stands on both sides of an edge."""
    offsets = encoding.offsets
    first, after = place
    within = offsets[first][0] >= span[0] and offsets[after - 1][1] <= span[1]
    before = first == 0 or offsets[first - 1][1] <= span[0]
    return within and before and (after == len(offsets) or offsets[after][0] >= span[1])


def _fault(one: _Rendered, read: ChatFormat, whole: bool, trained: int, n: int) -> str | None:
    """What is wrong with an example, as a code of FAULTS."""
    if not one.spans or not trained:
        return "NOTHING_LEARNED"
    if trained == n:
        return "EVERYTHING_LEARNED"
    if len(one.spans) != len(one.replies):
        return "REPLY_WITHOUT_TAGS"
    end = read.template.ending
    if not end:
        return "NO_END_OF_TURN"
    if not whole:
        return "END_OF_TURN_IS_NO_TOKEN"
    for (start, stop), reply, kept in zip(one.spans, one.replies, one.learned, strict=True):
        if code := _reply_fault(one.text[start:stop], reply, end, kept):
            return code
    return "SPECIAL_TOKEN_IN_TEXT" if one.forged else None


def _reply_fault(learned: str, reply: Mapping[str, Any], end: str, kept: bool) -> str | None:
    """What is wrong with what is learned of one reply."""
    body = learned.rstrip()
    if not body.endswith(end):
        return "NO_END_OF_TURN"
    body, said = body.removesuffix(end).strip(), reply["content"].strip()
    if kept and (thought := reply.get("reasoning_content", "").strip()):
        if thought not in body:
            return "REASONING_NOT_LEARNED"
        return None if said in body else "OTHER_TEXT_LEARNED"
    if calls := reply.get("tool_calls"):
        named = all(c["function"]["name"] in body for c in calls)
        return None if named and said in body else "OTHER_TEXT_LEARNED"
    return None if body == said or (not kept and body.endswith(said)) else "OTHER_TEXT_LEARNED"
