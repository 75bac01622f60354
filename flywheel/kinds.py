"""The kinds of operator, and the one way they are found.

An operator is a short frozen pydantic model in a file of its own; its fields are its configuration in the recipe. The
narrow signature of each kind is the point: a filter can say no but cannot edit; an edit can rewrite but cannot drop.
"""

import hashlib
import hmac
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

import polars as pl
from pydantic import BaseModel, Field, PrivateAttr

from flywheel.choices.follow import Follow
from flywheel.choices.mix import Mix, axis
from flywheel.choices.pilot import Pilot
from flywheel.choices.selection import AnySelection
from flywheel.coverage.wanted import Coverage
from flywheel.errors import OperatorInvalid
from flywheel.lineage import Step
from flywheel.quality.looked_at import LookedAt

if TYPE_CHECKING:
    from flywheel.formats.chat_format import ChatFormat
    from flywheel.protection.policy import Policy

T = TypeVar("T", bound="Operator")


class Operator(BaseModel, frozen=True, extra="forbid"):
    """What every operator has: the name the recipe uses, a version raised by hand when its meaning changes, its needs."""

    use: str
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    """Columns of signals or labels the operator reads; the recipe is refused when nothing gives them."""

    def step(self) -> Step:
        """What lineage records of this operator: its name, version and every parameter."""
        return Step(use=self.use, version=self.version, parameters=self.model_dump(mode="json", exclude={"use"}))


class Source(Operator, frozen=True):
    """One log or feedback format. It reads one parsed line; finding lines, bad bytes and quarantine are not its business."""

    gives: ClassVar[Literal["conversations", "feedback"]]
    origin: ClassVar[Literal["logged", "demonstrated"]] = "logged"
    """Who wrote the replies it reads: a model that was called, or a person to show how it is done."""
    speaks: ClassVar[bool] = False
    """Whether a line of conversations says feedback of them, too."""

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """Whether this parsed line looks like the format."""
        raise NotImplementedError

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of CONVERSATIONS or FEEDBACK, as dictionaries. Raises `Unreadable` with a reason code.

        Leave out `id`/`feedback_id`'s source prefix, `digest`, `day`, `source` and `raw`: the ingest stage fills them.
        `user` and `actor` are given in clear; ingest replaces them by keyed pseudonyms before anything is stored.
        """
        raise NotImplementedError

    def said(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of FEEDBACK that a line of conversations holds beside them, where it `speaks`; after `read`."""
        return []


class Signal(Operator, frozen=True):
    """One measurement of every row. `scope = "row"` looks at each row alone; `"corpus"` compares rows with each other.

    A row signal implements `measure`. A corpus signal implements `sketch`, which condenses each row by itself (and is
    stored, so a new day costs a day), and `relate`, which looks across the sketches of all rows.
    """

    scope: ClassVar[Literal["row", "corpus"]] = "row"
    gives: ClassVar[Mapping[str, Any]] = {}
    """Columns it adds and their Polars types."""
    decided_later: ClassVar[frozenset[str]] = frozenset()
    """Parameters that only `relate` reads: changing one measures nothing again."""
    on_request: ClassVar[bool] = False
    """Measured only where the recipe names it: it takes a model, a service or much time."""
    when_read: ClassVar[bool] = False
    """Of a signal on request: whether it is measured too where a filter or trait of the recipe reads one of its columns."""
    sparse: ClassVar[frozenset[str]] = frozenset()
    """Columns that are rightly null in some rows."""

    values: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Column -> every value it can have, where these are known."""

    def absent(self) -> str | None:
        """Why it cannot be measured on this machine, as a sentence that ends with the cure; None where it can.

        The columns of an absent signal are null, and the check `every_signal_is_there` fails unless it is declared off.
        """
        return None

    def located(self, folder: Path) -> "Signal":
        """The same signal, knowing the folder of the recipe: files that it names lie there."""
        return self

    def after(self, edits: "Sequence[Edit]", policy: "Policy") -> "Signal":
        """The same signal, knowing the recipe's edits and policy: what it sends elsewhere has passed them."""
        return self

    def sketch_step(self) -> Step:
        """The step without the parameters that are decided later: what `measure` and `sketch` depend on."""
        whole = self.step()
        kept = {k: v for k, v in whole.parameters.items() if k not in self.decided_later}
        missing = {} if self.absent() is None else {"absent": True}
        return whole.model_copy(update={"parameters": kept | missing})

    compares: ClassVar[bool] = False
    """Whether it can say how similar two rows are."""

    def compare(self, sketches: pl.LazyFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        """`id` and `compared`, the similarity of each pair of `id` and `instead`."""
        raise NotImplementedError

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """`id` and the columns of `gives`, one row for each row given."""
        raise NotImplementedError

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """`id` and whatever `relate` needs of a row."""
        raise NotImplementedError

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        """`id` and the columns of `gives`, looking across all rows. Must not depend on the order of rows."""
        raise NotImplementedError

    edges: ClassVar[Mapping[str, Any]] = {}
    """Columns of what `match` finds, where it does; then `fold` is asked instead of `relate`."""

    def match(self, new: pl.LazyFrame, known: Sequence[pl.LazyFrame]) -> "Matched":
        """What there is between rows of `new`, and between these and rows of `known` (sketches, a frame for each day).

        Kept for each day with the days before it as `known`, so that one more day is compared once. What `fold` makes of
        it must not depend on how rows are cut into days.
        """
        raise NotImplementedError

    def fold(self, sketches: pl.LazyFrame, edges: pl.LazyFrame) -> pl.LazyFrame:
        """`id` and the columns of `gives`, from the sketches of all rows and all that `match` found."""
        raise NotImplementedError


class Matched(NamedTuple):
    """What one day's rows have to do with those before, and what was done to find out."""

    edges: pl.DataFrame
    candidates: int = 0
    """Pairs that were looked at."""
    verified: int = 0
    """Of these, compared exactly."""
    pairs: int = 0
    """Of these, matches."""
    largest_bucket: int = 0
    """The most texts with one key."""


class Filter(Operator, frozen=True):
    """One reason to leave a row out. Where the expression is null the row stays: not knowing is not a fault.

    `rejects = "row"`: the row leaves the pool. `rejects = "target"`: the row must not be imitated, but may still be the
    losing side of a preference or an undesired example.
    """

    rejects: ClassVar[Literal["row", "target"]] = "row"

    @property
    def reason(self) -> str:
        """What a row it rejects is said to be: the filter's name, unless the recipe gives another."""
        return self.use

    def reject(self) -> pl.Expr:
        """Boolean expression over the columns of a conversation, its signals and its labels."""
        raise NotImplementedError

    def verdicts(self) -> Mapping[str, pl.Expr]:
        """Each reason it can give, and where it gives it; most filters have one."""
        return {self.reason: self.reject()}


class Edit(Operator, frozen=True):
    """One rewriting of text. It is applied to every text of every message: content, parts, reasoning, tool calls."""

    prose_only: ClassVar[bool] = False
    """Leave tool calls, tool results and extra fields alone: there every byte may be data."""

    def absent(self) -> str | None:
        """Why it cannot be done on this machine, as a sentence that ends with the cure; None where it can.

        A recipe that names an absent edit is refused: nobody who asked for a text to be redacted gets it as it was.
        """
        return None

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        """The new text. `secret` is the home's key, for pseudonyms that are the same in every row."""
        raise NotImplementedError


DIGITS = r"[0-9](?:[ .()/-]{0,4}[0-9]){6}"
"""Seven digits with little between them: the gate of most numbers."""


class Redaction(Edit, frozen=True):
    """An edit that replaces each match of a pattern by a keyed pseudonym, such as `[EMAIL_3fa91c02]`.

    The same value becomes the same token in every row and every dataset of one home; without the home's key nobody can
    check a guess. `pattern` uses ASCII classes: Unicode ones cost some 70 times as much in the Rust engine.
    """

    label: ClassVar[str]
    on_request: ClassVar[bool] = False
    """Too slow to be looked for where the recipe does not name it."""
    pattern: ClassVar[str]
    """A regular expression that both Rust's regex crate and Python's `re` read alike. Where a named group takes part in the
    match, only that group is replaced."""
    gate: ClassVar[str] = ""
    """A cheap regular expression found in every text that holds a value; the pattern is looked for only there."""
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_]",)
    """What may not stand right before a match: regular expressions, each of fixed width."""
    after: ClassVar[str] = "[0-9A-Za-z_]"
    """What may not stand right after a match."""
    on_find: Literal["redact", "drop", "hold"] = "redact"
    """What becomes of a row with such a value: it stays, redacted; it is left out (`holds_email`); or it is left out until a
    person has looked at it (`held_email`)."""

    @property
    def reason(self) -> str | None:
        """What a row with such a value is left out for; None where it stays."""
        return {"redact": None, "drop": f"holds_{self.label.lower()}", "hold": f"held_{self.label.lower()}"}[
            self.on_find
        ]

    def valid(self, value: str) -> bool:
        """Whether a match is really a value of this kind (a checksum, a length)."""
        return True

    def find(self, text: str) -> list[str]:
        """The values in a text that would be replaced."""
        return [value for m in self._bounded().finditer(text) if self.valid(value := m.group(_value(m)))]

    def suspects(self, texts: pl.Series) -> pl.Series:
        """Places of the texts that may hold a value: the gate first, then the pattern."""
        places = texts.str.contains(self.gate).arg_true() if self.gate else pl.int_range(len(texts), eager=True)
        return places.filter(texts.gather(places).str.contains(self.pattern).fill_null(False))

    def _bounded(self) -> re.Pattern[str]:
        return _between(self.pattern, self.before, self.after)

    def token(self, value: str, secret: bytes) -> str:
        """The pseudonym of one value."""
        canonical = re.sub(r"[\s().-]", "", value).lower()
        code = hmac.new(secret, f"{self.label}:{canonical}".encode(), hashlib.sha256).hexdigest()[:8]
        return f"[{self.label}_{code}]"

    def replaced(self, text: str, secret: bytes) -> tuple[str, int]:
        """The text with a token in the place of each value, and how many values there were."""
        count = 0

        def pseudonym(m: re.Match[str]) -> str:
            nonlocal count
            group = _value(m)
            if not self.valid(m.group(group)):
                return m.group()
            count += 1
            start, end = m.start(group) - m.start(), m.end(group) - m.start()
            return m.group()[:start] + self.token(m.group(group), secret) + m.group()[end:]

        return self._bounded().sub(pseudonym, text), count

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        def batch(values: pl.Series) -> pl.Series:
            hits = self.suspects(values)
            if not len(hits):
                return values
            changed = [self.replaced(v, secret)[0] for v in values.gather(hits).to_list()]
            return values.clone().scatter(hits, pl.Series(changed, dtype=pl.String))

        return text.map_batches(batch, return_dtype=pl.String, is_elementwise=True)


@cache
def _between(pattern: str, before: tuple[str, ...], after: str) -> re.Pattern[str]:
    """The pattern between what may stand before and after it."""
    # A tool result is often JSON as text: in `\n010-…` and `\u003ca@b.c` the letters belong to the escape, not to the
    # value, and a value that swallowed them would leave broken JSON behind.
    escape = r"(?:[nrtbf]|u[0-9A-Fa-f]{4})"
    free = "".join(f"(?<!{unwanted})" for unwanted in before)
    start = rf"(?:(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{{4}})|{free}(?!(?<=\\){escape}))"
    return re.compile(rf"{start}(?:{pattern})(?!{after})")


def _value(m: re.Match[str]) -> str | int:
    return next((name for name, found in m.groupdict().items() if found), 0)


class Threshold(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The bound and severity of one check, where the recipe wants another than the default."""

    max: float | None = None
    min: float | None = None
    confidence: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Of a share: how sure it must be that the bound is broken, such as 0.95; 0 for no band of noise."""
    severity: Literal["error", "warn", "off"] | None = None
    """`error` blocks everything downstream; `warn` is shown and blocks nothing; `off` is declared, shown as not run."""


class Unjudged(Threshold, frozen=True):
    """A check that a trial cannot judge. No recipe says so; it is no success and no failure."""


class Undeclared(Threshold, frozen=True):
    """A check of what the recipe has not declared. It is no success and no failure, and says what is missing."""

    missing: str
    """What is to be declared, such as `[purpose]`."""


class Split(BaseModel, frozen=True, extra="forbid"):
    """How a set is divided. Rows that share any of `by` are always on one side."""

    validation: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the examples wanted in validation."""
    by: tuple[Literal["conversation", "user", "duplicates", "source"], ...] = ("conversation", "user", "duplicates")


class Formed(NamedTuple):
    """The messages of an example, or the reasons why there is none."""

    prompt: Sequence[Mapping[str, Any]] = ()
    completion: Sequence[Mapping[str, Any]] = ()
    reasons: tuple[str, ...] = ()
    columns: Mapping[str, Any] = {}
    """Further columns of sets.EXAMPLES that the kind fills: `licence`, `step_labels`."""
    task: str | None = None
    """What it is done for: of the examples with one task the one of least `cost` is taken. None where none is compared."""
    cost: tuple[float, ...] = ()


class SetKind(Operator, frozen=True):
    """One kind of finetuning set: which rows become examples of it, and what each example consists of.

    How many, in which mix and on which side of the split is decided later, by `assemble`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """Name of the set, its asset and its export folder: lower-case letters, digits and underscores."""
    examples: int | None = Field(default=None, ge=1)
    """How many examples are wanted; without it, as many as there are (and as the mix allows)."""
    select: AnySelection | None = None
    """Which of the examples there are shall be in it, before the mix is drawn: `prune`, `top`, `importance`, `diverse`."""
    mix: Mix = {}
    """axis -> value -> share. Shares of one axis add up to 1; several axes are crossed."""
    follow: dict[str, Follow] = {}
    """axis -> what its shares follow: usage, a reference, declared shares, or a blend; it is an axis of the mix like the others."""
    pilot: Pilot | None = None
    """Whether it is a pilot: its first rows, stratified and frozen, with an evaluation twin that no other set may hold."""
    max_copies: int = Field(default=1, ge=1)
    """How often a row may be there where its cell is short; 1: nothing is repeated."""
    coverage: Coverage = Coverage()
    """What it shall cover: shares of values of axes, as checks with a plan that would close the gaps; nothing is chosen by it."""
    looked_at: LookedAt | None = None
    """How much of it people shall have looked at, and how well they shall agree with its labels; each a check."""
    split: Split = Split()
    template: str | None = None
    """The chat template of the model to be trained: the name of one that comes with flywheel, or a file. A check then proves, in
    tokens, that training learns every reply with its end of turn and nothing else."""
    tokenizer: str | None = None
    """Folder of the tokenizer of the model to be trained; without it, the small one that comes with flywheel."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens of an example that are trained on."""
    serving: str | None = None
    """What the model is served with: a chat template, or prompts logged as they were rendered."""
    export: tuple[str, ...] = ()
    """Formats to write; the first lies at the top of the export folder, each further one in a folder of its name."""
    promote: Literal["on_build", "by_hand"] = "on_build"
    """Whether a release becomes the current one with its build, or only by `flywheel promote`; the first one always does."""
    check: dict[str, Threshold] = {}
    """Bounds for the checks of this set."""

    _folder: Path = PrivateAttr(default=Path())

    absent: ClassVar[str] = "not_eligible"
    """The reason given for a row of the pool that `pick` does not mention."""

    def located(self, folder: Path) -> "SetKind":
        """The same set, knowing the folder of the recipe: files that it names lie there."""
        moved = self.model_copy()
        moved._folder = folder
        return moved

    def at(self, file: str) -> Path:
        """Where a file that the set names lies."""
        return self._folder / file

    def chat_format(self) -> "ChatFormat | None":
        """The template and tokenizer of the model to be trained, where the set names one. Raises a `FlywheelError` with the cure."""
        from flywheel.formats.chat_format import chat_format

        return chat_format(self.template, self.tokenizer, self.max_tokens, self._folder)

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        """Examples without text, and the rows that give none.

        `pool`: the curated rows without text (records.SLIM, signals, `undesired` reasons). `labels`: one row per labelled
        conversation. `comparisons`: `signal, chosen, rejected, correction, feedback_id, weight, occurred_at`.
        Returns columns of `sets.PICKED`: those with empty `reasons` are examples, the others are rejected with them.
        """
        raise NotImplementedError

    def value_of(self, name: str) -> pl.Expr:
        """The value of an axis of the mix, under the name it has there."""
        follow = self.follow.get(name)
        return axis(name) if follow is None else follow.under(axis(name)).alias(name)

    @property
    def measures_usage(self) -> bool:
        """Whether its mix follows, or is compared with, what the logs hold."""
        return any(f.usage is not None for f in self.follow.values())

    @property
    def covers(self) -> bool:
        """Whether there is anything it shall cover."""
        return bool(self.coverage.read)

    def sketched(self) -> bool:
        """Whether its selection reads the sketches of near duplicates."""
        return self.select is not None and self.select.sketched()

    def whole_sessions(self) -> bool:
        """Whether the turns of one session become one example, in which each reply that was picked is learned."""
        return False

    def forms(self) -> bool:
        """Whether `form` is asked. It costs reading the text of every row picked, not only of those in the set."""
        return False

    def formed_surely(self) -> pl.Expr:
        """What `form` would say, where columns of the conversation alone tell it: "" for an example, or its one reason; null where
        it has to be asked. It is asked to write in any case."""
        return pl.lit(None, dtype=pl.String)

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """The example that a picked row becomes: its messages as they are learned, or why it is none after all.

        `row` has what else is known of the conversation behind the prompt: `tools`, `metadata`, `app`, `prompt_name`,
        `prompt_version`, `model`. The same input must give the same answer: it is asked once to choose and once to write.
        """
        raise NotImplementedError

    def report(self, chosen: pl.DataFrame, pool: pl.LazyFrame) -> dict[str, Any]:
        """What people ask first about a set of this kind, for its notes. `chosen`: sets.PICKED of the examples."""
        return {}


class Export(Operator, frozen=True):
    """One trainer's file format."""

    takes: ClassVar[tuple[str, ...]]
    """The set kinds this format can hold."""

    def reader(self) -> str:
        """Name of the reader that `validate_file` reads with."""
        return self.use

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object of one line. Raises `Unreadable` with a reason where the format cannot hold the example."""
        raise NotImplementedError

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        """Names of what this example has and the format cannot carry."""
        return []

    def fault(self, line: Mapping[str, Any]) -> str | None:
        """Why the rules of the format refuse a rendered line, as a sentence: that example is left out. None for a sound one."""
        return None

    def file(self, split: str) -> str:
        """Name of a split's data file, in the folder of the format."""
        return f"{split}.jsonl"

    def write(self, lines: Iterator[bytes], path: Path) -> None:
        """Write the rendered lines, each a JSON object without a newline, into a data file."""
        with path.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")

    def lines(self, path: Path) -> Iterator[bytes]:
        """The rendered lines of a data file that `write` has written."""
        with path.open("rb") as file:
            for line in file:
                yield line[:-1]

    def companions(self, name: str, kind: str, files: Mapping[str, str]) -> dict[str, bytes]:
        """Files that belong beside the data files. `files`: split -> name of its data file, for the splits with rows."""
        return {}

    def settings(self, kind: str, notes: Mapping[str, Any]) -> dict[str, bytes]:
        """Files with what the trainer has to be told of this set (`notes`, as `assemble` stores them), such as weights of labels."""
        return {}

    def validate_folder(self, folder: Path, files: Mapping[str, str]) -> None:
        """Read the companions back, together with the data files they speak of. Raises `ExportInvalid`."""

    def validate_file(self, path: Path) -> int:
        """Read the file back with a reader that is not the writer; the number of lines. Raises `ExportInvalid`."""
        raise NotImplementedError


def discover(package: str, kind: type[T]) -> dict[str, type[T]]:
    """The operators of a package: file name -> the one class of that kind defined in it.

    Raises `OperatorInvalid` when a file holds none or two, or when the default of `use` is not the file's name.
    """
    found: dict[str, type[T]] = {}
    folder = importlib.import_module(package)
    for info in sorted(pkgutil.iter_modules(folder.__path__), key=lambda m: m.name):
        module = importlib.import_module(f"{package}.{info.name}")
        here = [
            v
            for v in vars(module).values()
            if isinstance(v, type)
            and issubclass(v, kind)
            and v.__module__ == module.__name__
            and not v.__name__.startswith("_")
        ]
        if len(here) != 1:
            names = ", ".join(c.__name__ for c in here) or "none"
            raise OperatorInvalid(
                f"{package}.{info.name} holds {names}; expected exactly one {kind.__name__}. Put each operator in a file of its own."
            )
        if (use := here[0].model_fields["use"].default) != info.name:
            raise OperatorInvalid(
                f'{package}.{info.name} defines {here[0].__name__} with use = "{use}"; expected "{info.name}", the name of its file.'
            )
        found[info.name] = here[0]
    return found


def choice(operators: Mapping[str, type[Operator]]) -> Any:
    """A pydantic union of the operators, told apart by `use`."""
    classes: Sequence[type[Operator]] = list(operators.values())
    return Annotated[reduce(or_, classes), Field(discriminator="use")] if len(classes) > 1 else classes[0]
