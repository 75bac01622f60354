import pytest

from flywheel.errors import RecipeInvalid
from flywheel.recipe import parse_recipe
from flywheel.signals.own_axes import OwnAxes
from tests.build import chat, rows

TIER = {
    "values": {
        "paying": {"column": "metadata.plan", "operator": "is", "value": ["pro", "team"]},
        "german": {"column": "input", "operator": "has_word", "value": "bitte"},
    }
}


def test_row_28_an_axis_of_ones_own():
    given = rows(
        chat("user: hi", "assistant: ok", id="s:1", metadata='{"plan": "pro", "region": "eu"}'),
        chat("user: bitte schnell", "assistant: ok", id="s:2", metadata='{"plan": "free"}'),
        chat("user: bitte schnell", "assistant: ok", id="s:3", metadata='{"plan": "team"}'),
        chat("user: hi", "assistant: ok", id="s:4", metadata=None),
    )
    signal = OwnAxes(axes={"tier": TIER, "region": {"of": "metadata.region"}})
    told = signal.measure(given.lazy()).collect()
    assert told["tier"].to_list() == ["paying", "german", "paying", "other"]
    assert told["region"].to_list() == ["eu", None, None, None]
    assert list(signal.gives) == ["tier", "region"]
    assert signal.sparse == {"region"}


@pytest.mark.parametrize(
    ("axis", "why"),
    [
        ("[signal.axes.tier]", "either of ="),
        ('[signal.axes.tier]\nof = "plan"', "a path such as metadata.plan"),
        (
            '[signal.axes.tier.values.a]\ncolumn = "language"\noperator = "is"\nvalue = "ko"',
            "an axis by the name of its column",
        ),
        ('[signal.axes."my axis"]\nof = "metadata.plan"', "cannot be the name"),
        ('[signal.axes.language]\nof = "metadata.plan"', "a column of 2 signals"),
    ],
)
def test_what_is_no_axis_is_refused(axis, why):
    with pytest.raises(RecipeInvalid, match=why):
        parse_recipe(f'name = "r"\n[[signal]]\nuse = "own_axes"\n{axis}\n')


def test_a_filter_and_a_mix_read_it():
    recipe = parse_recipe(
        'name = "r"\n[[signal]]\nuse = "own_axes"\n[signal.axes.region]\nof = "metadata.region"\n'
        '[[set]]\nname = "a"\nuse = "sft"\nexport = ["trl"]\n[set.mix.region]\neu = 1.0\n'
        '[[filter]]\nuse = "matches"\nname = "elsewhere"\ncolumn = "region"\noperator = "is_not"\nvalue = "eu"\n'
    )
    assert recipe.set[0].mix == {"region": {"eu": 1.0}}
