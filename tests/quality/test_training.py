"""What the checks of a set ask about training."""

import polars as pl
import pytest

from flywheel.formats.mask_proof import Proof
from flywheel.kinds import Threshold
from flywheel.quality.expectations import judge
from flywheel.quality.tally import MEASURES
from flywheel.quality.training import FITS, LEARNED, SERVED, TRAINING, training, unproved
from flywheel.sets.sft import Sft

PLAIN = Sft(name="s", export=("trl",))
FULL = Sft(name="s", export=("trl",), template="chatml", max_tokens=100, serving="served.jinja")


def judged(wanted, proof):
    findings = judge(TRAINING, pl.DataFrame(training(wanted, proof), schema=MEASURES))
    return {f.name: f for f in findings}


@pytest.mark.parametrize(
    ("wanted", "off"),
    [
        (PLAIN, [LEARNED.name, FITS.name, SERVED.name]),
        (PLAIN.model_copy(update={"template": "chatml"}), [FITS.name, SERVED.name]),
        (PLAIN.model_copy(update={"tokenizer": "models/mine", "max_tokens": 9}), [SERVED.name]),
        (FULL, []),
    ],
)
def test_checks_without_anything_to_look_at_are_declared_off(wanted, off):
    assert unproved(wanted) == off


def test_row_157_an_all_zero_mask_is_a_blocking_failure_that_names_the_template():
    proof = Proof(examples=20)
    for n in range(3):
        proof.fault("NOTHING_LEARNED", f"r{n}")
    found = judged(PLAIN.model_copy(update={"template": "mine.jinja"}), proof)[LEARNED.name]
    assert (found.passed, found.blocking, found.observed, found.n) == (False, True, 3.0, 20)
    assert "3 of 20 examples of which training would learn the wrong tokens" in found.summary
    assert "mine.jinja: NOTHING_LEARNED, no token is learned: put {% generation %}" in found.summary


def test_row_157_length_and_a_sound_mask(tmp_path):
    found = judged(PLAIN.model_copy(update={"template": "chatml", "max_tokens": 9}), Proof(examples=20, too_long=2))
    assert (found[LEARNED.name].passed, found[FITS.name].passed) == (True, False)
    assert "2 of 20 examples longer than `max_tokens`" in found[FITS.name].summary


def test_row_158_a_server_with_another_template_fails_with_the_first_character(tmp_path):
    from flywheel.formats.chat_templates import template

    here = FULL.located(tmp_path)
    assert "there is no chat template at served.jinja" in judged(here, Proof(examples=1))[SERVED.name].summary
    (tmp_path / "served.jinja").write_text(template("chatml").source)
    assert judged(here, Proof(examples=1))[SERVED.name].passed
    (tmp_path / "served.jinja").write_text(template("llama3").source)
    found = judged(here, Proof(examples=1))[SERVED.name]
    assert (found.passed, found.blocking) == (False, True)
    assert "serves another text than chatml trains: character 2 is 'b', expected 'i'" in found.summary


@pytest.mark.parametrize("kind", ["corpus", "detector"])
@pytest.mark.parametrize("wish", ['template = "chatml"', 'tokenizer = "."', "max_tokens = 9", 'serving = "served"'])
def test_of_texts_without_a_prompt_there_is_nothing_to_prove(kind, wish):
    from flywheel.errors import RecipeInvalid
    from flywheel.recipe import parse_recipe

    text = f'name = "r"\n[[set]]\nname = "s"\nuse = "{kind}"\nexport = ["huggingface"]\n'
    told = parse_recipe(text).sets[0].check
    assert {told[t.name].severity for t in (LEARNED, FITS, SERVED)} == {"off"}
    with pytest.raises(RecipeInvalid, match=f"{wish.split()[0]}: proves nothing of a set of kind {kind}"):
        parse_recipe(text + wish + "\n")


def test_a_recipe_that_judges_what_it_does_not_name_is_refused():
    from flywheel.errors import RecipeInvalid
    from flywheel.recipe import parse_recipe

    text = 'name = "r"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'
    with pytest.raises(RecipeInvalid, match="replies_alone_are_learned: has nothing to look at"):
        parse_recipe(text + "[set.check.replies_alone_are_learned]\nmax = 3\n")
    with pytest.raises(RecipeInvalid, match="max_tokens: needs a chat template"):
        parse_recipe(text + "max_tokens = 9\n")
    with pytest.raises(RecipeInvalid, match='there is no template "lama3"'):
        parse_recipe(text + 'template = "lama3"\n')
    told = parse_recipe(text + 'template = "templates/mine.jinja"\n').sets[0].check
    assert told[FITS.name] == told[SERVED.name] == Threshold(severity="off")
    assert LEARNED.name not in told
