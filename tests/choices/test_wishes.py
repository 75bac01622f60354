"""Wishes for choices that cannot be, as the recipe says them."""

import pytest

from flywheel.errors import RecipeInvalid
from flywheel.recipe import parse_recipe

SET = 'name = "a"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["openai"]\n'


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('[set.follow.ap]\nreference = "llama3_sft"', 'set.0.s.follow: there is no axis "ap". Did you mean "app"?'),
        (
            "[set.mix.app]\na = 1.0\n[set.follow.app]\nusage = {}",
            "follow.app: the mix has that axis, too; put its shares under [set.follow.app.declared].",
        ),
        ("[set.follow.thumb]\nusage = {}", "follow.thumb.usage: a label is known of few calls, so it tells no usage"),
        ("max_copies = 3", "max_copies: without `examples` no cell is short, and nothing is repeated."),
        ('[set.follow.app]\nrefrence = "llama3_sft"', 'there is no "refrence" here. Did you mean "reference"?'),
        ("[set.follow.app]\nusage = { day = 3 }", 'there is no "day" here. Did you mean "days"?'),
        ("[set.follow.app.declared]\na = 0.5", "set.0.sft.follow.app: the declared shares add up to 0.5; expected 1."),
        ("[set.follow.app]\nusage = { until = 2026-13-01 }", "is not valid TOML"),
        ("[set.mix.app]\na = 0.5", "mix.app: the shares add up to 0.5; expected 1."),
    ],
)
def test_each_is_a_sentence(said: str, why: str) -> None:
    with pytest.raises(RecipeInvalid) as e:
        parse_recipe(SET + said)
    assert why in str(e.value)


STAGES = (
    SET
    + '[[curriculum]]\nname = "c"\n{more}[[curriculum.stage]]\nset = "s"\n[[curriculum.stage]]\nset = "{set}"\n{phase}'
)


@pytest.mark.parametrize(
    ("more", "of", "phase", "why"),
    [
        ("", "t", "", 'curriculum.0.c.stage.1: there is no set "t". Sets: s.'),
        ("", "s", "", 'two stages take all of the set "s"; give one of them examples or a mix'),
        ('score = "lengthh"\n', "s", "examples = 3", 'score: there is no column of numbers "lengthh".'),
        ("[curriculum.target.ap]\na = 1.0\n", "s", "examples = 3", 'there is no axis "ap". Did you mean "app"?'),
        (
            "",
            "s",
            '[curriculum.stage.mix.app]\nmath = 0.2\nchat = 0.8\n[[curriculum.stage.least]]\naxis = "app"\nvalues = ["math"]\nshare = 0.4',
            "the mix gives math of app 0.2 together, and 0.4 is the least wanted; raise their shares, or lower the least.",
        ),
        ("[curriculum.check.no_leaks]\nmax = 1\n", "s", "examples = 3", 'there is no check "no_leaks" here.'),
    ],
)
def test_curricula_that_cannot_be(more: str, of: str, phase: str, why: str) -> None:
    with pytest.raises(RecipeInvalid) as e:
        parse_recipe(STAGES.replace("{more}", more).replace("{set}", of).replace("{phase}", phase))
    assert why in str(e.value)
