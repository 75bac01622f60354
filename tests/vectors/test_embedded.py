"""What is embedded, and what an endpoint is sent: the text after the recipe's edits, without any pseudonym."""

import pytest
from pydantic import ValidationError

from flywheel.edits.redact_email import RedactEmail
from flywheel.edits.redact_secret import RedactSecret
from flywheel.protection.policy import NO_POLICY, Policy
from flywheel.recipe import parse_recipe, read_recipe
from flywheel.signals.semantic_duplicate import SemanticDuplicate
from tests.build import chat, rows
from tests.embedding_server import serving

CALL = '[{"id":"c1","type":"function","function":{"name":"mail","arguments":"{\\"to\\": \\"kim\\\\u0040corp.example\\"}"}}]'
KEY = "sk-abcdefghijklmnopqrstuvwxyz012345"


def recipe(endpoint: str, edits: str = "") -> str:
    return f"""
name = "r"
{edits}
[[signal]]
use = "semantic_duplicate"
endpoint = "{endpoint}"
model = "any"
threshold = 0.9
"""


@pytest.fixture
def server():
    with serving() as server:
        yield server


def test_no_raw_value_leaves_the_machine(server, tmp_path):
    edits = '[[edit]]\nuse = "redact_email"\n[[edit]]\nuse = "redact_secret"\n'
    (tmp_path / "recipe.toml").write_text(recipe(server.endpoint, edits))
    signal = next(s for s in read_recipe(tmp_path / "recipe.toml").signals if s.use == "semantic_duplicate")
    frame = rows(
        chat("user: I am kim@corp.example, help", f"assistant: Use {KEY} then", id="s:1"),
        chat("user: mail", {"role": "assistant", "content": "Mail kim@corp.example"}, id="s:2"),
        chat("user: I am lee@corp.example, help", f"assistant: Use {KEY} then", id="s:3"),
    )
    sketches = signal.sketch(frame.lazy()).collect()
    sent = "\n".join(server.texts)
    assert "corp.example" not in sent
    assert "kim" not in sent
    assert KEY not in sent
    assert "[EMAIL]" in sent
    assert "I am [EMAIL], help\nUse [SECRET] then" in server.texts
    assert len(server.texts) == 2, "values that are redacted make no two texts of one"
    assert sketches["vector"][0] == sketches["vector"][2]
    assert (tmp_path / "cache" / "embeddings.db").exists()
    asked = len(server.asked)
    assert signal.sketch(frame.lazy()).collect().equals(sketches)
    assert len(server.asked) == asked, "a second run asks for nothing"


def test_without_edits_the_text_is_sent_as_it_is(server):
    signal = next(s for s in parse_recipe(recipe(server.endpoint)).signals if s.use == "semantic_duplicate")
    signal.sketch(chat("user: hello you", "assistant: hi").lazy()).collect()
    assert server.texts == ["hello you\nhi"]


def test_other_edits_are_another_cause():
    plain = SemanticDuplicate()
    redacted = plain.after([RedactEmail()], NO_POLICY)
    both = plain.after([RedactEmail(), RedactSecret()], NO_POLICY)
    dropped = plain.after([], Policy(drop_fields=("gender",)))
    agreed = plain.after([], Policy(require={"metadata.consent": True}))
    every = (plain, redacted, both, dropped, agreed)
    assert len({s.sketch_step().model_dump_json() for s in every}) == len(every)


def test_forbidden_fields_and_rows_without_consent_stay_here(server):
    policy = '[policy]\ndrop_fields = ["gender"]\nrequire = { "consent" = true }\n'
    signal = next(s for s in parse_recipe(recipe(server.endpoint, policy)).signals if s.use == "semantic_duplicate")
    call = CALL.replace("to", "gender").replace("kim", "female")
    frame = rows(
        chat(
            "user: said with consent",
            {"role": "assistant", "content": "ok", "extra": call},
            id="s:1",
            metadata='{"consent": true}',
        ),
        chat("user: said without", "assistant: ok", id="s:2", metadata='{"consent": false}'),
        chat("user: said in silence", "assistant: ok", id="s:3"),
    )
    sketches = signal.sketch(frame.lazy()).collect().sort("id")
    assert [t.partition("\n")[0] for t in server.texts] == ["said with consent"]
    assert "female" not in server.texts[0]
    assert sketches["vector"].is_null().to_list() == [False, True, True]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": "minlm"}, 'there is no model "minlm" here. Did you mean "minilm"?'),
        ({"key": "SOME_KEY"}, "only an endpoint takes one"),
        ({"endpoint": "http://127.0.0.1:1/v1", "model": "m"}, "threshold: is missing"),
        ({"endpoint": "127.0.0.1:1/v1", "model": "m", "threshold": 0.9}, "pattern"),
        ({"endpoint": "http://me:pass@host/v1", "model": "m", "threshold": 0.9}, "pattern"),
        ({"endpoint": "http://127.0.0.1:1/v1", "model": "m", "threshold": 0.9, "key": "sk-abc.def"}, "pattern"),
    ],
)
def test_what_cannot_be_is_refused(given, sentence):
    with pytest.raises(ValidationError, match=sentence.replace("?", r"\?")):
        SemanticDuplicate.model_validate(given)
