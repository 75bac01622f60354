"""A folder of Parquet files with a card, which `datasets.load_dataset` opens."""

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
import polars as pl
from pydantic import ValidationError

from flywheel.errors import ExportInvalid
from flywheel.formats.card import task_of
from flywheel.formats.messages import calls_of, every_message, learned_replies, lost_fields, text_of, tools_of
from flywheel.formats.stepwise import stepwise_line
from flywheel.formats.training_lines import ALL_OF, JsonList, Line, Strict, TextLine, first_fault
from flywheel.kinds import Export

BATCH = 20_000
"""Rows in memory at a time."""

FIELDS = ("role", "content", "reasoning", "tool_calls", "tool_call_id", "name")
MESSAGES = pl.List(pl.Struct(dict.fromkeys(FIELDS, pl.String)))
COLUMNS: dict[str, Any] = {
    "text": pl.String,
    "prompt": MESSAGES,
    "completion": MESSAGES,
    "chosen": MESSAGES,
    "rejected": MESSAGES,
    "label": pl.Boolean,
    "score": pl.Float64,
    "margin": pl.Float64,
    "completions": pl.List(pl.String),
    "labels": pl.List(pl.Boolean),
    "source": pl.String,
    "licence": pl.String,
    "tools": pl.String,
    "id": pl.String,
}
SIDES: dict[str, tuple[str, ...]] = {
    "corpus": ("text", "source", "licence"),
    "detector": ("text", "label"),
    "stepwise": ("prompt", "completions", "labels"),
    "reward_pairs": ("prompt", "chosen", "rejected", "margin", "tools"),
    "preference": ("prompt", "chosen", "rejected", "tools"),
    "kto": ("prompt", "completion", "label", "tools"),
    "reward": ("prompt", "completion", "score", "tools"),
}


class HuggingFace(Export):
    """Parquet with portable columns: lists of messages, in which tool calls, and beside which tools, are JSON strings.

    As nested columns, Arrow would give every call the arguments of all others, with nulls; a reader parses these strings.
    Each row carries its id, so that it can be traced; but for texts of a detector, which are traced by their line.
    """

    use: Literal["huggingface"] = "huggingface"

    takes: ClassVar[tuple[str, ...]] = (
        "sft",
        "preference",
        "kto",
        "reward",
        "reward_pairs",
        "tool_use",
        "cot",
        "stepwise",
        "corpus",
        "detector",
    )

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if example["kind"] == "corpus":
            known = {c: example.get(c) for c in ("source", "licence")}
            return {"text": text_of(example["completion"][0]), **known, "id": example["id"]}
        if example["kind"] == "detector":  # an id says where the text is from, and so what its label is
            return {"text": text_of(example["completion"][0]), "label": example["label"]}
        if example["kind"] == "stepwise":
            return {**stepwise_line(example), "id": example["id"]}
        prompt, completion = ([_message(m) for m in example[side]] for side in ("prompt", "completion"))
        tools_of(example)
        beside = {"tools": example["tools"], "id": example["id"]}
        match example["kind"]:
            case "preference" | "reward_pairs":
                rejected = [_message(m) for m in example["rejected"]]
                margin = {"margin": example["score"]} if example["kind"] == "reward_pairs" else {}
                return {"prompt": prompt, "chosen": completion, "rejected": rejected, **margin, **beside}
            case "kto":
                return {"prompt": prompt, "completion": completion, "label": example["label"], **beside}
            case "reward":
                return {"prompt": prompt, "completion": completion, "score": example["score"], **beside}
        return {"prompt": prompt, "completion": completion, **beside}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        lost = lost_fields(example, "extra") | learned_replies(example)
        return sorted(lost | {"refusal as such" for m in every_message(example) if m["refusal"] is not None})

    def file(self, split: str) -> str:
        return f"{split}.parquet"

    def write(self, lines: Iterator[bytes], path: Path) -> None:
        """Write the rows with the columns the first of them has; an empty file has an id alone."""
        frames: list[pl.DataFrame] = []
        schema = {"id": COLUMNS["id"]}
        while few := [orjson.loads(line) for line in islice(lines, BATCH)]:
            schema = schema if frames else {c: t for c, t in _columns(few[0]).items() if c in few[0]}
            frames.append(pl.DataFrame(few, schema=schema))
        pl.concat([pl.DataFrame(schema=schema), *frames]).write_parquet(path, compression="zstd")

    def lines(self, path: Path) -> Iterator[bytes]:
        scanned = pl.scan_parquet(path, glob=False)
        for start in range(0, scanned.select(pl.len()).collect().item(), BATCH):
            yield from map(orjson.dumps, scanned.slice(start, BATCH).collect().iter_rows(named=True))

    def companions(self, name: str, kind: str, files: Mapping[str, str]) -> dict[str, bytes]:
        """The card's front matter with the files. At the top of the export folder the whole card takes its place."""
        data = [{"split": split, "path": path} for split, path in files.items()]
        told = [
            "---",
            f"pretty_name: {orjson.dumps(name).decode()}",
            f"task_categories: [{task_of(kind)}]",
        ]
        told += [f"tags: {orjson.dumps(['flywheel', kind]).decode()}"]
        if data:
            told += ["configs:", "- config_name: default", "  default: true"]
            told += [f"  data_files: {orjson.dumps(data).decode()}"]
        beside = () if kind == "detector" else ("id",)
        columns = ", ".join(f"`{c}`" for c in (*SIDES.get(kind, ("prompt", "completion", "tools")), *beside))
        told += ["---", "", f"# {name}", "", f"Columns: {columns}. `tools` and each message's `tool_calls` are JSON."]
        return {"README.md": ("\n".join(told) + "\n").encode()}

    def reader(self) -> str:
        """Who reads the files back: `datasets` where it is installed, else pydantic alone."""
        return "datasets" if importlib.util.find_spec("datasets") else "pydantic"

    def validate_file(self, path: Path) -> int:
        """Hold each row against the strict schema; where `datasets` is installed, the first rows as it reads them.

        The columns of Parquet are declared, not inferred: what a reader makes of the first rows it makes of all.
        """
        number = 0
        try:
            for number, row in enumerate(self._rows(path), 1):
                shape = _shape(row)
                if fault := shape.model_validate(_bare(row)).fault():
                    raise ExportInvalid(f"{path.name}, row {number}: {fault} The file was not released.")
        except ValidationError as e:
            raise ExportInvalid(f"{path.name}, row {number}: {first_fault(e)} The file was not released.") from None
        return number

    def _rows(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            count = pl.scan_parquet(path).select(pl.len()).collect().item()
            first = ALL_OF if count and self.reader() == "datasets" else 0  # which does not take an empty file
            if first:
                yield from _as_datasets_reads(path, first)
            for start in range(first, count, BATCH):
                yield from pl.scan_parquet(path).slice(start, BATCH).collect().iter_rows(named=True)
        except (ValidationError, ExportInvalid):
            raise
        except Exception as e:  # whatever Arrow says of a file that is no Parquet
            raise ExportInvalid(f"{path.name} cannot be opened: {type(e).__name__}. It was not released.") from None

    def validate_folder(self, folder: Path, files: Mapping[str, str]) -> None:
        """Open the folder as its users will: `load_dataset(folder)` must give exactly the splits, with every row."""
        if self.reader() != "datasets" or not files:
            return
        import datasets

        with tempfile.TemporaryDirectory() as cache:
            try:
                loaded = datasets.load_dataset(str(folder), cache_dir=cache, streaming=True)
                found = {split: sum(map(len, _batches(rows))) for split, rows in loaded.items()}
            except Exception as e:
                raise ExportInvalid(
                    f"datasets.load_dataset cannot open the folder: {type(e).__name__}: {e}. Nothing was released."
                ) from None
        wanted = {s: pl.scan_parquet(folder / f).select(pl.len()).collect().item() for s, f in files.items()}
        if found != wanted:
            raise ExportInvalid(f"datasets.load_dataset finds {found}; {wanted} was written. Nothing was released.")


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns and their types; the prompt of a stepwise line is text."""
    return COLUMNS | ({"prompt": pl.String} if "completions" in row else {})


def _message(fields: Mapping[str, Any]) -> dict[str, Any]:
    calls_of(fields)  # refuses what a reader could not parse
    told = {**fields, "content": text_of(fields)}
    return {f: told[f] for f in FIELDS}


# --- reading back


def _batches(rows: Any) -> Iterator[Any]:
    """All rows of a split as `datasets` streams them, some at a time: nothing is written to a cache."""
    return iter(rows.with_format("arrow").iter(batch_size=BATCH))


def _as_datasets_reads(path: Path, first: int) -> Iterator[dict[str, Any]]:
    """The first rows of a file."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        yield from islice(datasets.Dataset.from_parquet(str(path), cache_dir=cache, streaming=True), first)


class Message(Strict):
    """A message."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str
    reasoning: str | None = None
    tool_calls: JsonList | None = None
    tool_call_id: str | None = None
    name: str | None = None


class _Row(Line):
    id: str


class Document(TextLine, _Row):
    """A text to go on from, where it is from and under which licence."""

    source: str | None = None
    licence: str | None = None


class Detected(TextLine):
    """A text, and whether a model wrote it."""

    label: bool


class Steps(_Row):
    """A prompt, its steps, and a label for each."""

    prompt: str
    completions: list[str]
    labels: list[bool]

    def fault(self) -> str | None:
        """There is a label for each step."""
        sound = self.prompt.strip() and self.completions and len(self.completions) == len(self.labels)
        return None if sound else "the prompt is empty, or there is not one label for each step."


class Supervised(_Row):
    """A prompt and its completion."""

    prompt: list[Message]
    completion: list[Message]
    tools: JsonList | None = None

    def fault(self) -> str | None:
        """There is a prompt, and the completion is the assistant's."""
        return _side_fault(self.prompt, self.completion)


class Labelled(Supervised):
    """A prompt and a completion that is desired or not."""

    label: bool


class Scored(Supervised):
    """A prompt and a completion with its score."""

    score: float


class Preference(_Row):
    """A prompt and two replies."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    margin: float | None = None
    tools: JsonList | None = None

    def fault(self) -> str | None:
        """Both replies are the assistant's, and differ."""
        if self.chosen == self.rejected:
            return "chosen and rejected are the same."
        return _side_fault(self.prompt, self.chosen) or _side_fault(self.prompt, self.rejected)


def _side_fault(prompt: list[Message], reply: list[Message]) -> str | None:
    if not prompt:
        return "the prompt is empty."
    if not reply or reply[-1].role != "assistant":
        return "a reply does not end with the assistant."
    return None if any(m.content or m.tool_calls for m in reply) else "a reply is empty."


def _shape(row: Mapping[str, Any]) -> type[Line]:
    if "text" in row:
        return Detected if "label" in row else Document
    if "chosen" in row:
        return Preference
    if "completions" in row:
        return Steps
    return Labelled if "label" in row else Scored if "score" in row else Supervised


def _bare(value: Any) -> Any:
    """Without the keys that are null: columns that other rows have."""
    if isinstance(value, Mapping):
        return {k: _bare(v) for k, v in value.items() if v is not None}
    return [_bare(v) for v in value] if isinstance(value, list) else value
