"""Personal data and forbidden fields, through the whole graph: what is told of them, and that they are in no file that is given away."""

import json
from pathlib import Path

import pytest

from flywheel.home import Home
from flywheel.rewriting import every_redaction
from tests.homes import Ran, call, drop, exported, words

RECIPE = """
name = "guarded"
[policy]
drop_fields = ["zip_code", "name", "gender"]
require = { "metadata.consent" = true }
max_age_days = 30
[policy.types]
"metadata.score" = "number"
[[edit]]
use = "redact_email"
[[edit]]
use = "redact_phone"
on_find = "hold"
[[edit]]
use = "redact_card"
on_find = "drop"
[[set]]
name = "first"
use = "sft"
export = ["openai", "trl"]
[[set]]
name = "second"
use = "cot"
export = ["trl"]
[set.check.set_is_large_enough]
severity = "off"
"""
MAIL, PHONE, CARD = "ada.lovelace@example.org", "010-1234-5678", "4111 1111 1111 1111"


def said(n: int, text: str, **metadata: object) -> dict[str, object]:
    """Call `n` with a text added to what the user says, and metadata of its own."""
    beside = {"consent": True, "score": 0.5, "user": {"gender": "f", "plan": "pro"}} | metadata
    asked = [{"role": "user", "content": f"{text} Please explain {words(n, 'ask')}."}]
    return call(n, request={"model": "m", "messages": asked}, metadata=beside)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Ran]:
    """A home whose logs hold one of everything, of three days and one long ago, built once."""
    home = Home.create(tmp_path_factory.mktemp("guarded") / "home", recipe=RECIPE)
    old = said(20, "Long ago.")
    old["timestamp"] = "2026-01-01T00:00:00Z"
    lines = [
        said(0, f"Write to {MAIL}."),
        said(13, f"I am {MAIL}"),  # the next day
        said(25, f"<{MAIL.upper()}>"),  # and the day after, in capitals
        said(1, f"Ring {PHONE}."),
        said(2, f"Ring {PHONE}, pay with {CARD}."),
        said(3, "No consent.", consent=False),
        said(4, "An integer.", score=1),
        old,
        *[said(n, "Nothing of note.") for n in range(5, 12)],
    ]
    drop(home, "logs/first.jsonl", *lines)
    done = Ran(home)
    assert not done.failures, done.failures
    return home, done


def rejected(home: Home) -> dict[str, list[str]]:
    """Reasons by the id of the call."""
    no = home.store.head("screened").scan("rejected").select("id", "reasons").collect()
    return {i.removeprefix("openai_chat:"): reasons for i, reasons in no.rows()}


@pytest.mark.slow
def test_row_22_every_row_is_there_or_says_why(ran: tuple[Home, Ran]) -> None:
    home, done = ran
    assert rejected(home) == {
        "req_1": ["held_phone"],
        "req_2": ["held_phone", "holds_card"],
        "req_3": ["no_consent"],
        "req_20": ["too_old"],
    }
    assert home.store.head("screened").count() == 11
    assert done.checks["screened", "no_row_vanished"].passed


@pytest.mark.slow
def test_row_22_a_forbidden_field_is_in_no_set_and_listed(ran: tuple[Home, Ran]) -> None:
    home, done = ran
    edits = home.store.head("screened").scan("edits").collect()
    listed = edits.filter(edits["edit"] == "drop_fields")
    assert listed["id"].n_unique() == 15
    assert set(listed["field"]) == {"metadata.gender"}
    assert not any("gender" in (m or "") for m in home.store.head("screened").scan().collect()["metadata"])
    assert done.checks["screened", "no_forbidden_field_is_left"].passed
    assert done.checks["first", "no_forbidden_field_is_left"].passed


@pytest.mark.slow
def test_row_150_the_same_address_is_the_same_token_in_every_row_day_and_set(ran: tuple[Home, Ran]) -> None:
    home, _ = ran
    rows = home.store.head("screened").scan().collect()
    texts = {r["id"].removeprefix("openai_chat:"): r["messages"][0]["content"] for r in rows.iter_rows(named=True)}
    token = texts["req_0"].split()[2].rstrip(".")
    assert token.startswith("[EMAIL_")
    assert token in texts["req_13"]
    assert token in texts["req_25"]
    lines = [json.loads(line) for line in home.exports.joinpath("first/current/train.jsonl").read_text().splitlines()]
    lines += [
        json.loads(line) for line in home.exports.joinpath("first/current/trl/train.jsonl").read_text().splitlines()
    ]
    assert sum(token in json.dumps(line) for line in lines) >= 4


@pytest.mark.slow
def test_row_150_neither_a_value_nor_the_key_is_in_any_file_given_away(ran: tuple[Home, Ran]) -> None:
    home, _ = ran
    files = {name: data for name, data in exported(home).items() if isinstance(data, bytes)}
    assert any(name.endswith("train.jsonl") for name in files)
    key = home.key_file.read_text().strip()
    for secret in (key.encode(), key.upper().encode(), home.secret, MAIL.encode(), PHONE.encode(), CARD.encode()):
        assert not [name for name, data in files.items() if secret.lower() in data.lower()]
    for word in (b"gender", b"zip_code"):
        assert not [n for n, data in files.items() if word in data and not n.endswith(("manifest.json", "README.md"))]


@pytest.mark.slow
def test_row_20_a_column_declared_float_stored_as_int_is_an_error(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE.replace('"number"', '"float"'))
    drop(home, "logs/first.jsonl", said(4, "An integer.", score=1), said(5, "None."))
    done = Ran(home)
    drift = done.checks["conversations", "types_are_as_declared"]
    assert not drift.passed
    assert drift.severity.value == "ERROR"
    assert "DTYPE_DRIFT: 1 values" in (drift.description or "")
    assert "screened" not in done.made


def test_another_key_gives_other_tokens(tmp_path: Path) -> None:
    from flywheel.edits.redact_email import RedactEmail

    one, two = (Home.create(tmp_path / name).secret for name in ("a", "b"))
    assert RedactEmail().token(MAIL, one) == RedactEmail().token(MAIL.upper(), one) != RedactEmail().token(MAIL, two)


CODE = [
    "```python\n@app.route('/x')\n@pytest.mark.slow\ndef f(user: str, host=HOST) -> None: ...\n```",
    "```sh\ngit checkout 356a192b7913b04c54574d18c28d46e6395428ab\nssh user@host\npip install numpy==2.4.6.1\n```",
    '```json\n{"id": "75b0f0bd-1f46-4b7e-9b9c-728756ceeac6", "integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXc=="}\n```',
    "`arr[10:20] = x[0x1F:0xFF]; y = 1234567890123; t = 1772416959.123`",
    "npm i @scope/pkg@1.2.3 && docker run img@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
]


@pytest.mark.parametrize("text", CODE)
def test_row_150_code_samples_are_not_corrupted(text: str) -> None:
    every = every_redaction([])
    assert {r.label: found for r in every if (found := r.find(text))} == {}


def test_row_150_an_address_in_a_string_of_code_is_still_an_address() -> None:
    text = '```python\nsend(to="ada@example.org")\n```'
    assert {r.label: r.find(text) for r in every_redaction([]) if r.find(text)} == {"EMAIL": ["ada@example.org"]}
