"""Columns behind the fields of exported lines: of every format and kind, held against lines of changed examples."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.audit.fields import Watched, changes, columns_of, of_release, telling
from flywheel.exports import EXPORTS
from flywheel.records import message
from flywheel.sets import EXAMPLES
from flywheel.storage.snapshots import Store
from tests.pools import snapshot
from tests.test_laws import example


def other_values(kind: str) -> dict[str, list[Any]]:
    """Values that an example of this kind might have had in each column, made by other means than the product's."""
    told = example(kind)
    swapped = {c: told[d] for c, d in (("prompt", "completion"), ("completion", "prompt"), ("rejected", "completion"))}
    plain = {
        "id": "other",
        "digest": "d" * 32,
        "source": "elsewhere",
        "licence": "MIT",
        "origin": "synthesized",
        "cell": "c",
    }
    numbers = {"score": 0.125, "raw_score": 4.5, "weight": 0.25, "label": told["label"] is not True}
    lists = {"feedback": ["f"], "parents": ["p"], "learned": [True] * len(told["prompt"]), "step_labels": [False]}
    return {c: [{**swapped, **plain, **numbers, **lists}.get(c), None] for c in EXAMPLES if c not in ("kind", "split")}


@pytest.mark.parametrize(("use", "kind"), [(use, kind) for use in EXPORTS for kind in EXPORTS[use].takes])
def test_a_changed_column_changes_no_other_field_than_it_is_said_to(use: str, kind: str) -> None:
    form, told = EXPORTS[use].model_validate({}), example(kind)
    line = form.render(told)
    found = columns_of(form, "s", [told])
    assert found.fields.keys() == line.keys()
    assert {c for columns in found.fields.values() for c in columns} | found.conditions <= set(EXAMPLES)
    assert "completion" in {c for columns in found.fields.values() for c in columns}
    for column, values in other_values(kind).items():
        for value in values:
            try:
                changed = form.render({**told, column: value})
            except Exception:  # it cannot be: then at least it was read
                assert column in found.conditions | {c for columns in found.fields.values() for c in columns}
                continue
            moved = {f for f in line.keys() | changed.keys() if line.get(f) != changed.get(f)}
            allowed = (
                line.keys() | changed.keys()
                if column in found.conditions
                else {f for f, c in found.fields.items() if column in c}
            )
            assert moved <= allowed, column


@pytest.mark.parametrize(
    ("use", "kind", "fields", "conditions"),
    [
        ("openai", "sft", {"messages": {"prompt", "completion"}}, {"kind", "tools", "learned"}),
        ("openai", "tool_use", {"messages": {"prompt", "completion"}, "tools": {"tools"}}, {"kind", "learned"}),
        ("trl", "preference", {"prompt": {"prompt"}, "chosen": {"completion"}, "rejected": {"rejected"}}, {"kind", "tools"}),
        ("alpaca", "kto", {"instruction": {"prompt"}, "input": set(), "system": {"prompt"}, "output": {"completion"}, "kto_tag": {"label"}}, {"kind"}),
        ("huggingface", "corpus", {"text": {"completion"}, "source": {"source"}, "licence": {"licence"}, "id": {"id"}}, {"kind"}),
        ("huggingface", "stepwise", {"prompt": {"prompt"}, "completions": {"completion"}, "labels": {"step_labels"}, "id": {"id"}}, {"kind"}),
    ],
)  # fmt: skip
def test_fields_and_what_they_come_of(use: str, kind: str, fields: Any, conditions: set[str]) -> None:
    found = columns_of(EXPORTS[use].model_validate({}), "s", [example(kind)])
    assert (found.fields, found.conditions) == (fields, conditions)


def test_what_one_example_does_not_show_another_does() -> None:
    form, turns = (
        EXPORTS["openai"].model_validate({}),
        [message({"role": r, "content": r}) for r in ("user", "assistant", "user")],
    )
    plain, session = example("sft"), example("sft", prompt=turns, learned=[False, True, False])
    assert "learned" not in columns_of(form, "s", [plain]).fields["messages"]
    assert "learned" in columns_of(form, "s", [plain, session]).fields["messages"]


def test_an_example_that_a_format_refuses_tells_nothing() -> None:
    refused = example("sft", completion=[message({"role": "user", "content": "no reply"})])
    found = columns_of(EXPORTS["openai"].model_validate({}), "s", [refused])
    assert (found.fields, found.conditions) == ({}, set())


def test_a_whole_example_that_is_read_is_noted() -> None:
    watched = Watched({"a": 1, "b": 2})
    assert watched.get("c") is None
    assert watched.read == {"c"}
    assert {**watched} == {"a": 1, "b": 2}
    assert watched.read == {"a", "b", "c"}


@pytest.mark.parametrize("value", [None, True, 0, 0.5, "x", '["a"]', [True, False], ["x"], [message({"role": "user"})]])
def test_a_changed_value_is_another(value: Any) -> None:
    others = list(changes(value))
    assert others
    assert all(other != value for other in others)


def test_examples_that_have_a_value_are_looked_at() -> None:
    frame = pl.DataFrame({"n": range(40), "label": [*[None] * 30, True, *[None] * 9], "never": [None] * 40})
    assert [row["n"] for row in telling(frame)] == [*range(8), 30]
    assert telling(frame.clear()) == []


def test_a_release_names_the_fields_of_further_formats_as_their_folders(tmp_path: Path) -> None:
    rows = pl.DataFrame([example("sft")], schema=EXAMPLES)
    candidate = snapshot(Store(tmp_path), "answers", {"rows": rows})
    found = of_release(candidate, {use: EXPORTS[use].model_validate({}) for use in ("openai", "trl")})
    assert found.of == "answers"
    assert found.fields == {
        "messages": {"prompt", "completion"}, "trl/prompt": {"prompt"}, "trl/completion": {"completion"},
    }  # fmt: skip
