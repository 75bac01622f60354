"""Measuring the operators of a home, and an order of its edits that is cheaper and gives the same bytes."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.__main__ import run
from flywheel.edits.redact_email import RedactEmail
from flywheel.edits.strip_html import StripHtml
from flywheel.edits.trim_whitespace import TrimWhitespace
from flywheel.home import Home
from flywheel.recipe import parse_recipe
from flywheel.stages import ingest, label, measure
from flywheel.tuning import ordering
from flywheel.tuning.ordering import _fixed, propose, snippet
from tests.build import chat
from tests.homes import call, drop

EDITS = '[[edit]]\nuse = "redact_email"\n[[edit]]\nuse = "strip_html"\n[[edit]]\nuse = "redact_rrn"\nstrict = true\n'
FILTERS = '[[filter]]\nuse = "too_short"\nmin_words = 3\n[[filter]]\nuse = "failed_call"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose texts are two thirds markup, measured and labelled."""
    home = Home.create(tmp_path / "home", recipe=f'name = "x"\n{EDITS}{FILTERS}')
    markup = "<div class='wide'><p>" + "<b>well</b><br/><!-- nothing at all -->" * 6 + "</p></div>"
    replies = [
        {"role": "assistant", "content": f"{markup} answer {n}, mail a{n}@b.com" if n % 4 else "no"} for n in range(80)
    ]
    calls = [call(n) for n in range(80)]
    for one, reply in zip(calls, replies, strict=True):
        one["response"]["choices"][0]["message"] = reply
    home.raw.keep(drop(home, "logs/a.jsonl", *calls))
    files = home.store.publish(ingest.read_files(home.raw, home.secret))
    conversations = home.store.publish(ingest.conversations(files))
    feedback = home.store.publish(ingest.feedback(files))
    home.store.publish(label.label(conversations, feedback, home.recipe().feedback))
    home.store.publish(measure.measure(conversations, home.recipe().signals))
    return home


def test_row_123_every_operator_is_measured_and_the_result_is_proved_equal(home: Home) -> None:
    found = propose(home, 60)
    assert (found.sample, found.rows, found.equal) == (60, 80, True)
    told = {(m.kind, m.name): m for m in found.operators}
    assert {name for kind, name in told if kind == "edit"} == {"redact_email", "strip_html", "redact_rrn"}
    assert {name for kind, name in told if kind == "filter"} == {"too_short", "failed_call"}
    assert told["edit", "strip_html"].removes > 0.5
    assert told["filter", "too_short"].removes == pytest.approx(0.25, abs=0.15)
    assert told["signal", "exact_duplicate"].removes == 0.0
    assert all(m.seconds >= 0 for m in found.operators)
    assert sorted(found.now) == sorted(found.proposed)


def test_row_123_an_edit_that_shrinks_the_text_comes_first_and_its_order_is_printed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With costs that are known: each edit is measured as a millisecond for each text."""

    def alike(edit: Any, texts: pl.Series, secret: bytes) -> ordering.Measured:
        return ordering.Measured("edit", edit.use, 1.0, 0.6 if edit.use == "strip_html" else 0.0)

    monkeypatch.setattr(ordering, "_edit", alike)
    found = propose(home, 60)
    assert found.proposed == ("strip_html", "redact_email", "redact_rrn")
    assert found.predicted == (pytest.approx(80 / 60 * 2.4), pytest.approx(80 / 60 * 1.8))
    assert (found.changes, found.equal) == (True, True)
    text = snippet(home.recipe(), found.proposed)
    again = parse_recipe(f'name = "x"\n{text}{FILTERS}')
    assert [e.use for e in again.edits] == list(found.proposed)
    assert set(again.edits) == set(home.recipe().edits)


def test_edits_that_feed_each_other_keep_their_order() -> None:
    """Markup stripped first leaves an address to redact; redacted first, the address is in what is stripped."""
    rows = chat("user: q", "assistant: write to <b>a@b.com</b>  \nor not")
    assert _fixed([RedactEmail(), TrimWhitespace()], rows, b"k" * 32) == []

    class Doubling(TrimWhitespace):
        def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
            return text.str.replace(r"<b>a@b\.com</b>", "someone")

    doubling = Doubling(use="trim_whitespace")
    assert _fixed([doubling, StripHtml()], rows, b"k" * 32) == [("trim_whitespace", "strip_html")]


def test_another_result_is_never_proposed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_same_verdicts", lambda *_: False)
    found = propose(home, 30)
    assert (found.equal, found.changes) == (False, False)


def test_the_sample_is_the_same_each_time(home: Home) -> None:
    one, two = (ordering._sample(home, home.recipe(), 20)[0] for _ in range(2))
    assert one.equals(two)
    assert one.height == 20


def test_it_is_told_in_text_in_json_and_as_toml(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    before = home.recipe_file.read_bytes()
    at = ["--home", str(home.path), "--sample", "30"]
    assert run(["order", *at]) == 0
    text = capsys.readouterr().out
    assert "Free: filters, in any order" in text
    assert run(["order", *at, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"sample", "rows", "operators", "now", "proposed", "fixed", "predicted", "measured", "equal"} <= told.keys()
    assert run(["order", *at, "--apply"]) == 0
    assert capsys.readouterr().out.count("[[edit]]") == 3
    assert home.recipe_file.read_bytes() == before


def test_before_anything_was_ingested_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home.create(tmp_path / "home")
    assert run(["order", "--home", str(home.path)]) == 1
    assert "Run: flywheel build" in capsys.readouterr().err
