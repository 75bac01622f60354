"""Chat logs as large as you like, made of real sentences, and with the truth about everything that was put into them.

    python benchmarks/make_corpus.py --data ../shared/data --out /tmp/corpus --records 1000000

OUT/logs/DAY.jsonl and OUT/feedback/DAY.jsonl for every day, OUT/truth.jsonl with what was planted in which call, and in OUT/more/
the same of one more day. The same arguments give the same bytes; memory stays the same whatever the size.

A text is a row of sentences of one language in which one word in eight is another: so two texts share sentences, as they do in
real logs, but a million of them are not copies of each other.
"""

import argparse
import datetime as dt
import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import orjson

Codes = npt.NDArray[np.int32]
Json = dict[str, Any]

EXACT, NEAR = 0.06, 0.12
"""Shares of the calls that say what an earlier one said, word for word or nearly."""
EDITED = (0.005, 0.12)
"""Share of the words that are other ones in a near duplicate, drawn between these."""
REPLACED = 0.12
"""Share of the words that are other ones in every text."""
PII, TEMPLATED, LEAKED, REPEATED, TOOLS, HTML, MARKDOWN, PARTS = 0.08, 0.10, 0.004, 0.03, 0.04, 0.03, 0.15, 0.03
"""Shares of the calls; a copy has what its original has."""
TURNS = (1, 1, 1, 1, 1, 1, 1, 1, 2, 3)
"""Calls of a session; each is as likely."""
FAILED, STAGING, CUT, REFUSED, EMPTY = 0.01, 0.02, 0.01, 0.01, 0.003
REGENERATED = 0.01
"""Share of the calls that are asked once more and answered otherwise; somebody prefers one of the two answers."""
FOREIGN = {"ko": 0.05}
"""Share of the calls in this language; the other languages there are share `ELSEWHERE`."""
ELSEWHERE = 0.07
MALFORMED = 0.001
"""Broken lines, as a share of the calls; they come on top."""
FEEDBACK, LATE = 0.10, 0.05
"""Share of the calls that get feedback, and of that what arrives the day after."""
BATCH = 4096
KEPT = 20_000
"""Earlier calls among which a copy finds its original: bounds the memory."""

SPACELESS = frozenset({"zh", "ja", "th"})
PARAGRAPH, BULLET, TAGS = "\n\n", "\n- ", "</p><p>"

TEMPLATES = (
    "You get a message of a customer. Sum it up in two sentences and name the product it is about.\n\nMessage: {}",
    "Rewrite the following text so that a child of ten understands it. Keep every fact.\n\n{}",
    "Classify the sentiment of this review as positive, negative or neutral, and say why.\n\nReview: {}",
    "Translate what follows into plain business English. Do not add anything of your own.\n\n{}",
    "Here is a note from our help desk. List every open question in it as a bullet point.\n\nNote:\n{}",
    "Write a friendly answer to this message. Sign as the team of the shop, and offer a next step.\n\n{}",
    "Find all mistakes of grammar in the text between the lines and explain each in one sentence.\n---\n{}\n---",
    "Give this text a title of at most eight words, then three key words.\n\nText: {}",
)
SYSTEMS = {
    "support": "You are the assistant of an online shop. Answer briefly and kindly, and never invent an order number.",
    "tutor": "You are a patient tutor. Explain every step and end with the result on a line of its own.",
    "writing": "",
    "chat": "",
}
"""Application -> its system prompt; "" for none."""
APP_SHARES = (0.3, 0.15, 0.25, 0.3)
REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I cannot assist with that request.",
    "As an AI, I am unable to do that.",
)
COMMENTS = ("This was helpful, thanks.", "Wrong product.", "Too long.", "It did not answer my question.", "Perfect.")
FAMILIES = ("river", "stone", "maple", "harbor", "linden", "falcon", "meadow", "ember", "quartz", "willow")
GIVEN = ("anna", "jonas", "mira", "david", "sofia", "minjun", "lena", "omar", "yuki", "carlos", "ines", "peter")
SAYING = {
    "email": ("You can write to me at {}.", "My address is {}, please use that one.", "제 이메일은 {} 입니다."),
    "phone": ("Call me on {} after five.", "My number is {}.", "전화번호는 {} 입니다."),
    "card": ("I paid with the card {}.", "The card number was {} if that helps.", "카드 번호는 {} 입니다."),
    "api_key": ("I used the key {} and it failed.", "api_key={}", "키는 {} 입니다."),
}
"""What is said around a personal value; the last is Korean."""
ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
TOOL_NAMES = {"find_order": "order_id", "get_weather": "city", "book_table": "restaurant", "search_articles": "query"}
TYPES = ("thumbs", "rating", "edit", "correction", "copy", "comment")
TYPE_SHARES = (0.55, 0.15, 0.09, 0.05, 0.11, 0.05)


# --- sentences


class Text:
    """Sentences of several languages as rows of word codes, from which texts are drawn by the thousand."""

    def __init__(self, sentences: Mapping[str, Iterable[str]]) -> None:
        known: dict[str, int] = {"": 0, PARAGRAPH: 1, BULLET: 2, TAGS: 3}
        flat: list[int] = []
        ends: list[int] = []
        self.languages = sorted(sentences)
        self.words: dict[str, list[str]] = {}
        first_sentence, first_word = [0], [0]
        for language in self.languages:
            space = "" if language in SPACELESS else " "
            for sentence in dict.fromkeys(sentences[language]):
                pieces = list(sentence) if language in SPACELESS else sentence.split()
                flat += [known.setdefault(space + piece, len(known)) for piece in pieces]
                flat.append(0)  # where the separator goes
                ends.append(len(flat))
            first_sentence.append(len(ends))
            first_word.append(len(flat))
        self.spelled = np.array(list(known), dtype=object)
        self.flat = np.array(flat, dtype=np.int32)
        self.ends = np.array(ends, dtype=np.int64)
        self.starts = np.concatenate([[0], self.ends[:-1]])
        self.first_sentence, self.first_word = np.array(first_sentence), np.array(first_word)
        for number, language in enumerate(self.languages):
            mine = self.flat[self.first_word[number] : self.first_word[number + 1]]
            self.words[language] = [w.strip() for w in self.spelled[mine[mine > 3][:20_000]]]

    def draw(self, rng: np.random.Generator, language: Codes, count: Codes, separator: Codes) -> list[str]:
        """A text for each language (its number), of `count` sentences; separated now and then by the word `separator`."""
        owner = np.repeat(np.arange(len(count)), count)
        spoken = language[owner]
        first, last = self.first_sentence[spoken], self.first_sentence[spoken + 1]
        sentence = first + (rng.random(len(owner)) * (last - first)).astype(np.int64)
        size = self.ends[sentence] - self.starts[sentence]
        stop = np.cumsum(size)
        at = np.arange(stop[-1]) - np.repeat(stop - size - self.starts[sentence], size)
        codes = self.flat[at]
        of = np.repeat(spoken, size)
        swap = np.flatnonzero((rng.random(len(codes), dtype=np.float32) < REPLACED) & (codes > 3))
        width = self.first_word[of[swap] + 1] - self.first_word[of[swap]]
        other = self.flat[self.first_word[of[swap]] + (rng.random(len(swap)) * width).astype(np.int64)]
        codes[swap] = np.where(other > 3, other, codes[swap])
        gap = rng.random(len(owner)) < np.where(separator[owner] == 1, 0.2, 0.7)
        codes[stop[gap] - 1] = separator[owner][gap]
        bounds = np.concatenate([[0], stop[np.cumsum(count) - 1]]).tolist()
        spelled = self.spelled[codes]
        texts = ["".join(spelled[a:b]) for a, b in pairwise(bounds)]
        return [
            t.strip("\n -").replace("\n ", "\n").replace("-  ", "- ").replace("> ", ">").removesuffix(TAGS)
            for t in texts
        ]

    def edited(self, text: str, language: str, share: float, rng: np.random.Generator) -> tuple[str, int, int]:
        """The text with this share of its words replaced, at least one; how many that are, and of how many."""
        space = "" if language in SPACELESS else " "
        pieces = text.split(" ") if space else list(text)
        places = [i for i, p in enumerate(pieces) if p.strip()]
        if not places:
            return text, 0, 0
        vocabulary = self.words[language]
        chosen = rng.choice(len(places), size=min(len(places), max(1, round(share * len(places)))), replace=False)
        for where, which in zip(chosen.tolist(), rng.integers(len(vocabulary), size=len(chosen)).tolist(), strict=True):
            pieces[places[where]] = vocabulary[which]
        return space.join(pieces), len(chosen), len(places)


def read_lines(path: Path) -> Iterator[Json]:
    """The records of a JSON Lines file, plain or gzip."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return (orjson.loads(line) for line in data.split(b"\n") if line.strip())


def cut(text: str) -> Iterator[str]:
    """The sentences of an English text that have four to forty words."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text):
        words = sentence.split()
        if 4 <= len(words) <= 40 and "<<" not in sentence and "```" not in sentence:
            yield " ".join(words)


def staged(data: Path) -> Text:
    """The sentences of the staged conversations, by language. Benchmarks' own test questions are not among them."""
    found: dict[str, list[str]] = defaultdict(list)
    english: list[str] = []
    for r in read_lines(data / "preference" / "hh_harmless_test_A.jsonl.gz"):
        english += re.split(r"\n\n(?:Human|Assistant):", r["chosen"])
    for r in read_lines(data / "sft" / "gsm8k_train_A.jsonl.gz"):
        english += [r["question"], re.sub(r"<<.*?>>|####.*", "", r["answer"])]
    for r in read_lines(data / "logs" / "arena_hard_two_models.jsonl.gz"):
        english += [re.sub(r"(?s)```.*?(?:```|\Z)", "\n", t) for t in (r["prompt"], *r["responses"].values())]
    for r in read_lines(data / "conversations" / "topical_chat_valid_freq.jsonl.gz"):
        english += [t["message"] for t in r["turns"]]
    for r in read_lines(data / "logs" / "taskmaster4_dialogs_A.jsonl.gz"):
        english += [u["text"] for u in r["utterances"]]
    english += [r["text"] for r in read_lines(data / "long" / "state_union_A.jsonl.gz")]
    found["en"] = [sentence for text in english for sentence in cut(text)]
    for r in read_lines(data / "korean" / "chatbot_data_A.jsonl.gz"):
        found["ko"] += [r["Q"] + ("" if r["Q"][-1:] in "?.!" else "."), r["A"]]
    for name in ("korsts_dev.jsonl.gz", "kornli_xnli_dev_800.jsonl.gz"):
        for r in read_lines(data / "korean" / name):
            found["ko"] += [r["sentence1"], r["sentence2"]]
    for r in read_lines(data / "langid" / "lingua_24langs_A.jsonl.gz"):
        if r["kind"] == "sentences" and r["lang"] not in ("en", "ko"):
            found[r["lang"]].append(r["text"])
    return Text(found)


# --- values


def card(rng: np.random.Generator) -> str:
    """A payment card number of sixteen digits with a right Luhn sum."""
    digits = [4, *rng.integers(10, size=14).tolist()]
    total = sum(d if i % 2 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(digits))
    text = "".join(map(str, [*digits, -total % 10]))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def personal(rng: np.random.Generator, korean: bool) -> tuple[str, str, str]:
    """A kind of personal data, a made-up value, and a sentence that says it."""
    kind = ("email", "phone", "card", "api_key")[int(rng.integers(4))]
    number = rng.integers(10, size=8).tolist()
    if kind == "email":
        given, family = GIVEN[int(rng.integers(len(GIVEN)))], FAMILIES[int(rng.integers(len(FAMILIES)))]
        value = f"{given}.{family}{number[0]}{number[1]}{number[2]}@example.{('com', 'org', 'net')[number[3] % 3]}"
    elif kind == "phone":
        spelled = "".join(map(str, number))
        value = f"010-{spelled[:4]}-{spelled[4:]}" if korean else f"+1 415 555 {spelled[:4]}"
    elif kind == "card":
        value = card(rng)
    else:
        value = "sk-" + "".join(ALPHANUMERIC[i] for i in rng.integers(len(ALPHANUMERIC), size=32))
    saying = SAYING[kind]
    return kind, value, (saying[2] if korean else saying[int(rng.integers(2))]).format(value)


def tool(name: str) -> Json:
    """A function offered to the model, as the API has it."""
    schema = {"type": "object", "properties": {TOOL_NAMES[name]: {"type": "string"}}, "required": [TOOL_NAMES[name]]}
    return {"type": "function", "function": {"name": name, "description": name.replace("_", " "), "parameters": schema}}


def scattered(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Other numbers, in no order, each once (SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


# --- calls


@dataclass(slots=True)
class Call:
    """One logged call, before it is written. `truth` is what was planted in it."""

    app: str
    language: str
    messages: list[Json]
    reply: Json
    tools: list[Json] | None
    finish: str
    truth: Json
    id: str = ""
    session: int = 0
    turn: int = 0
    preferred: "Call | None" = None  # the call of the same prompt whose reply somebody likes less


@dataclass
class Corpus:
    """A corpus of a given size. `write` makes it."""

    text: Text
    questions: Sequence[str]
    """Items of a benchmark that leak."""
    records: int
    days: int = 25
    more: float = 0.01
    """Calls of the day after, as a share of `records`."""
    seed: int = 7
    start: dt.date = dt.date(2026, 1, 1)
    kept: list[Call] = field(default_factory=list)
    sessions: int = 0
    calls: int = 0

    def write(self, out: Path) -> Json:
        """Make every file under `out`. Returns how much of what there is."""
        made: dict[str, int] = defaultdict(int)
        late: list[bytes] = []
        sizes = np.diff(np.linspace(0, self.records, self.days + 1).astype(int)).tolist()
        for day, size in enumerate([*sizes, round(self.records * self.more)]):
            place = out if day < self.days else out / "more"
            late = self._write_day(place, day, size, late, made)
        return dict(made)

    def _write_day(self, place: Path, day: int, size: int, late: list[bytes], made: dict[str, int]) -> list[bytes]:
        date = self.start + dt.timedelta(days=day)
        with ExitStack() as files:
            opened: dict[str, IO[bytes]] = {}
            for name in ("logs", "feedback"):
                (place / name).mkdir(parents=True, exist_ok=True)
                opened[name] = files.enter_context((place / name / f"{date}.jsonl").open("wb"))
            truth = files.enter_context((place / "truth.jsonl").open("wb" if day in (0, self.days) else "ab"))
            opened["feedback"].writelines(late)
            late, line = [], 0
            for batch, first in enumerate(range(0, size, BATCH)):
                rng = np.random.default_rng([self.seed, day, batch])
                calls = self._calls(rng, min(BATCH, size - first))
                second = np.sort(rng.random(len(calls))) * min(BATCH, size - first) + first
                moments = (second / size * 86_000 * 1000).astype(np.int64).tolist()  # milliseconds of the day
                rows, events = [], []
                breaks = (rng.random(len(calls)) < MALFORMED).tolist()
                spoken = (rng.random(len(calls)) < FEEDBACK).tolist()
                draws = rng.random((len(calls), 5)).tolist()
                for call, moment, broken, said, draw in zip(calls, moments, breaks, spoken, draws, strict=True):
                    when = dt.datetime.combine(date, dt.time()) + dt.timedelta(milliseconds=moment)
                    rows.append(orjson.dumps(self._line(call, when, draw)) + b"\n")
                    line += 1
                    made["calls"] += 1
                    if call.truth:
                        truth.write(orjson.dumps({"id": call.id, **call.truth}) + b"\n")
                        for what in call.truth:
                            made[what] += 1
                    if broken:
                        fault, data = self._damaged(rng, rows[-1])
                        rows.append(data)
                        line += 1
                        made["malformed"] += 1
                        truth.write(orjson.dumps({"file": f"{date}.jsonl", "line": line, "malformed": fault}) + b"\n")
                    if said or call.preferred:
                        made["feedback"] += 1
                        is_late, event = self._event(rng, call, when)
                        (late if is_late else events).append(orjson.dumps(event) + b"\n")
                opened["logs"].writelines(rows)
                opened["feedback"].writelines(events)
        return late

    def _calls(self, rng: np.random.Generator, count: int) -> list[Call]:
        """`count` calls in the order they happened: copies of earlier ones, calls asked twice, sessions of one to three."""
        shares = np.array([EXACT, NEAR, REGENERATED, (1 - EXACT - NEAR - 2 * REGENERATED) / np.mean(TURNS)])
        kind = rng.choice(4, size=count, p=shares / shares.sum())
        kind[(kind < 2) & (len(self.kept) < 50)] = 3
        turns = np.where(kind < 2, 1, np.where(kind == 2, 2, rng.choice(TURNS, size=count)))
        groups = int(np.searchsorted(np.cumsum(turns), count)) + 1
        turns[groups - 1] -= turns[:groups].sum() - count
        new = turns[:groups][kind[:groups] >= 2]
        apps = rng.choice(len(SYSTEMS), size=len(new), p=APP_SHARES)
        fresh = iter(self._fresh(rng, np.repeat(self._languages(rng, len(new)), new), np.repeat(apps, new)))
        calls: list[Call] = []
        for what, size in zip(kind[:groups].tolist(), turns[:groups].tolist(), strict=True):
            group = [self._copy(rng, what == 1)] if what < 2 else [next(fresh) for _ in range(size)]
            group = self._asked_twice(*group) if what == 2 and size == 2 else self._session(group)
            for turn, call in enumerate(group):
                call.session, call.turn = self.sessions, turn
            self.sessions += 1
            calls += group
        names = np.arange(self.calls, self.calls + count, dtype=np.uint64) + np.uint64(self.seed << 40)
        for call, name in zip(calls, scattered(names).tolist(), strict=True):
            call.id = f"req_{name:016x}"
        self.calls += count
        self._keep(rng, calls)
        return calls

    def _keep(self, rng: np.random.Generator, calls: list[Call]) -> None:
        """Remember calls that may be copied later; once there are enough, each takes the place of a random other."""
        places = rng.integers(KEPT, size=len(calls)).tolist()
        for call, place in zip(calls, places, strict=True):
            if not {"exact_of", "near_of"} & call.truth.keys() and not call.preferred and call.finish:
                if len(self.kept) < KEPT:
                    self.kept.append(call)
                else:
                    self.kept[place] = call

    def _copy(self, rng: np.random.Generator, nearly: bool) -> Call:
        """An earlier call again: as it was, or with other words here and there in what was asked last and in the reply."""
        old = self.kept[int(rng.integers(len(self.kept)))]
        while nearly and not (isinstance(old.messages[-1]["content"], str) and old.reply.get("content")):
            old = self.kept[int(rng.integers(len(self.kept)))]
        truth = {k: v for k, v in old.truth.items() if k != "turns"}
        if not nearly:
            return Call(
                old.app, old.language, old.messages, old.reply, old.tools, old.finish, truth | {"exact_of": old.id}
            )
        share, last = float(rng.uniform(*EDITED)), old.messages[-1]
        asked, edits, words = self.text.edited(last["content"], old.language, share, rng)
        said, more, others = self.text.edited(old.reply["content"], old.language, share, rng)
        if "pii" in truth:
            left = [p for p in truth.pop("pii") if p["value"] in asked or p["value"] in said]
            truth |= {"pii": left} if left else {}
        truth["near_of"] = {"id": old.id, "edits": edits + more, "words": words + others}
        messages, reply = [*old.messages[:-1], last | {"content": asked}], old.reply | {"content": said}
        return Call(old.app, old.language, messages, reply, old.tools, old.finish, truth)

    def _session(self, calls: list[Call]) -> list[Call]:
        """Calls of one conversation: each is sent with what was said before."""
        before: Call | None = None
        for turn, call in enumerate(calls, 1):
            if before:
                call.truth["turns"] = turn
                call.messages = [*before.messages, before.reply, *[m for m in call.messages if m["role"] != "system"]]
                if "pii" in before.truth:
                    call.truth["pii"] = [*before.truth["pii"], *call.truth.get("pii", [])]
                if "benchmark" in before.truth:
                    call.truth.setdefault("benchmark", before.truth["benchmark"])
            if call.finish and call.reply.get("content"):
                before = call
        return calls

    def _languages(self, rng: np.random.Generator, count: int) -> Codes:
        """The number of the language of each session."""
        names = self.text.languages
        share = np.array([FOREIGN.get(n, 0 if n == "en" else ELSEWHERE / max(1, len(names) - 2)) for n in names])
        share[names.index("en")] = 1 - share.sum()
        return rng.choice(len(names), size=count, p=share).astype(np.int32)

    def _asked_twice(self, call: Call, other: Call) -> list[Call]:
        """A call and the same again with another reply, of which somebody prefers the second."""
        asked, replied = str(call.messages), str(other.reply)
        values = [p for p in call.truth.get("pii", []) if p["value"] in asked]
        values += [p for p in other.truth.get("pii", []) if p["value"] in replied]
        truth = {k: v for k, v in call.truth.items() if k in ("language", "template", "benchmark")}
        truth |= {k: v for k, v in other.truth.items() if k in ("html", "markdown", "repeated", "refused")}
        truth |= {"regenerated": True} | ({"pii": values} if values else {})
        again = Call(call.app, call.language, call.messages, other.reply, call.tools, other.finish, truth)
        if call.finish and call.reply.get("content") and again.finish and again.reply.get("content"):
            again.preferred = call
        return [call, again]

    def _fresh(self, rng: np.random.Generator, language: Codes, app: Codes) -> list[Call]:
        """New calls of one turn, in these languages and applications."""
        count = len(language)
        flags = {
            name: (rng.random(count) < share).tolist()
            for name, share in (
                ("pii", PII), ("templated", TEMPLATED), ("leaked", LEAKED), ("repeated", REPEATED), ("tools", TOOLS),
                ("html", HTML), ("markdown", MARKDOWN), ("parts", PARTS), ("failed", FAILED), ("cut", CUT),
                ("refused", REFUSED), ("empty", EMPTY),
            )
        }  # fmt: skip
        plain = np.ones(count, dtype=np.int32)
        style = np.where(flags["html"], 3, np.where(flags["markdown"], 2, 1)).astype(np.int32)
        asked = self.text.draw(rng, language, rng.integers(1, 5, size=count), plain)
        said = self.text.draw(rng, language, 1 + rng.poisson(6.0, size=count), style)
        apps = [list(SYSTEMS)[number] for number in app.tolist()]
        calls = []
        for i, number in enumerate(language.tolist()):
            on = {name for name, flag in flags.items() if flag[i]}
            calls.append(self._call(rng, apps[i], self.text.languages[number], asked[i], said[i], on))
        return calls

    def _call(self, rng: np.random.Generator, app: str, language: str, asked: str, said: str, on: set[str]) -> Call:
        """One call with the planted things that are `on`."""
        truth: Json = {} if language == "en" else {"language": language}
        if "leaked" in on and language == "en":
            asked, truth["benchmark"] = self._leak(rng)
        elif "templated" in on and language == "en":
            number = int(rng.integers(len(TEMPLATES)))
            asked, truth["template"] = TEMPLATES[number].format(asked), number
        if silent := on & {"tools", "empty", "failed"}:
            on = on - {"html", "markdown", "repeated", "refused"}
        if "html" in on:
            said, truth["html"] = f"<p>{said.replace(' and ', ' &amp; ', 1)}</p>", True
        elif "markdown" in on:
            first, _, rest = said.partition(" ")
            said, truth["markdown"] = f"## {first}\n\n**{first}** {rest}", True
        if "repeated" in on:
            times = int(rng.integers(2, 5))
            said, truth["repeated"] = PARAGRAPH.join([said[: len(said) // 2].rstrip()] * times + [said]), times
        if "refused" in on:
            said, truth["refused"] = REFUSALS[int(rng.integers(len(REFUSALS)))], True
        if "pii" in on:
            kind, value, sentence = personal(rng, language == "ko")
            truth["pii"] = [{"kind": kind, "value": value}]
            if silent or rng.random() < 0.7:
                asked = f"{asked} {sentence}"
            else:
                said = f"{said} {sentence}"
        messages: list[Json] = [{"role": "system", "content": SYSTEMS[app]}] if SYSTEMS[app] else []
        content: Any = [{"type": "text", "text": p} for p in asked.split("\n\n")] if "parts" in on else asked
        messages.append({"role": "user", "content": content})
        reply: Json = {"role": "assistant", "content": "" if "empty" in on else said}
        tools, finish = None, "" if "failed" in on else "length" if "cut" in on else "stop"
        if "tools" in on and finish:
            messages, reply, tools = self._with_tools(rng, messages, reply, asked)
            truth["tools"] = True
            finish = "tool_calls" if "tool_calls" in reply else finish
        return Call(app, language, messages, reply, tools, finish, truth)

    def _leak(self, rng: np.random.Generator) -> tuple[str, Json]:
        """A benchmark's item as the question, one half of the times with some words changed."""
        item = int(rng.integers(len(self.questions)))
        asked, edits = self.questions[item], 0
        if rng.random() < 0.5:
            asked, edits, _ = self.text.edited(asked, "en", 0.02, rng)
        return asked, {"item": item, "edits": edits}

    def _with_tools(
        self, rng: np.random.Generator, messages: list[Json], reply: Json, asked: str
    ) -> tuple[list[Json], Json, list[Json]]:
        """The call with tools offered: the reply calls one, or tells what one found."""
        name = list(TOOL_NAMES)[int(rng.integers(len(TOOL_NAMES)))]
        value = orjson.dumps({TOOL_NAMES[name]: " ".join(asked.split()[:3])}).decode()
        calls = [
            {
                "id": f"call_{int(rng.integers(1 << 40)):010x}",
                "type": "function",
                "function": {"name": name, "arguments": value},
            }
        ]
        asking: Json = {"role": "assistant", "content": None, "tool_calls": calls}
        if rng.random() < 0.5:
            return messages, asking, [tool(n) for n in TOOL_NAMES]
        found = {"role": "tool", "tool_call_id": calls[0]["id"], "content": '{"found": 1}'}
        return [*messages, asking, found], reply, [tool(n) for n in TOOL_NAMES]

    # --- lines

    def _line(self, call: Call, when: dt.datetime, draw: Sequence[float]) -> Json:
        """A call as the application logs it."""
        number = call.id[4:]
        model = "gpt-4o-mini" if draw[0] < 0.8 else "gpt-4o"
        request: Json = {"model": model, "messages": call.messages, "temperature": 0.2, "max_tokens": 1024}
        if call.tools:
            request["tools"] = call.tools
        response: Json = {"error": {"message": "The server is overloaded.", "type": "server_error"}}
        if call.finish:
            sizes = len(str(call.messages)) // 4, len(call.reply.get("content") or "") // 4
            response = {
                "id": f"chatcmpl-{number}", "object": "chat.completion", "created": int(when.replace(tzinfo=dt.UTC).timestamp()),
                "model": model,
                "choices": [{"index": 0, "message": call.reply, "finish_reason": call.finish}],
                "usage": {"prompt_tokens": sizes[0], "completion_tokens": sizes[1], "total_tokens": sum(sizes)},
            }  # fmt: skip
        return {
            "id": call.id, "timestamp": f"{when.isoformat(timespec='milliseconds')}Z", "user_id": self._user(call),
            "session_id": f"s_{call.session:09d}", "turn_index": call.turn, "app": call.app,
            "environment": "staging" if draw[1] < STAGING else "prod", "request": request, "response": response,
            "latency_ms": round(200 + 3000 * draw[2] ** 3, 1), "status": "ok" if call.finish else "error",
            "metadata": {"region": "eu-west-1" if draw[3] < 0.6 else "us-east-1", "client": "web" if draw[4] < 0.7 else "ios"},
        }  # fmt: skip

    def _user(self, call: Call) -> str:
        """One of as many users as there are calls in a hundred; a few of them call often."""
        many = max(20, self.records // 20)
        spread = (call.session * 2654435761 % (1 << 32)) / (1 << 32)
        return f"u_{int(many * spread * spread):07d}"

    def _event(self, rng: np.random.Generator, call: Call, when: dt.datetime) -> tuple[bool, Json]:
        """Whether it comes a day late, and what somebody says about a call."""
        late = bool(rng.random() < LATE)
        created = when + dt.timedelta(seconds=int(rng.integers(5, 400)))
        received = created + dt.timedelta(hours=26 if late else 0, milliseconds=400)
        event: Json = {
            "event_id": f"fb_{call.id[4:]}",
            "user_id": self._user(call),
            "session_id": f"s_{call.session:09d}",
        }
        event |= {"created_at": f"{created.isoformat()}Z", "received_at": f"{received.isoformat()}Z"}
        if call.preferred:
            chosen = {"chosen_request_id": call.id, "rejected_request_id": call.preferred.id}
            return late, event | {"type": "preference", "request_id": call.id, **chosen}
        kind = TYPES[int(rng.choice(len(TYPES), p=TYPE_SHARES))]
        event |= {"type": kind, "request_id": call.id}
        said = call.reply.get("content")
        if kind in ("edit", "correction"):
            if not said or not call.finish:
                return late, event | {"type": "thumbs", "value": "down"}
            event["text"] = self.text.edited(said, call.language, 0.1, rng)[0]
        elif kind == "thumbs":
            event["value"] = "up" if rng.random() < 0.7 else "down"
        elif kind == "rating":
            event["value"] = int(rng.integers(1, 6))
        elif kind == "comment":
            event["text"] = COMMENTS[int(rng.integers(len(COMMENTS)))]
        return late, event

    def _damaged(self, rng: np.random.Generator, line: bytes) -> tuple[str, bytes]:
        """How a line is broken, and the line."""
        fault = ("truncated", "not_utf8", "array", "garbage")[int(rng.integers(4))]
        data = {
            "truncated": line[: len(line) // 2],
            "not_utf8": line[:-3].replace(b'"app"', b'"\xff\xfe"') + b"}\n",
            "array": b"[1, 2, 3]",
            "garbage": b"\x00\x01 %% stack overflow at 0x7f",
        }[fault]
        return fault, data.rstrip(b"\n") + b"\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=25)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    made = from_data(given.data, given.records, given.days, given.seed).write(given.out)
    sys.stdout.write(orjson.dumps(made, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode())


def from_data(data: Path, records: int, days: int = 25, seed: int = 7) -> Corpus:
    """The corpus that the staged data gives."""
    questions = [r["question"] for r in read_lines(data / "benchmarks" / "gsm8k_test.jsonl.gz")]
    return Corpus(staged(data), questions, records, days, seed=seed)


if __name__ == "__main__":
    main()
