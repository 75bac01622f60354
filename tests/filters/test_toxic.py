import polars as pl
import pytest
from pydantic import ValidationError

from flywheel.errors import RecipeInvalid
from flywheel.filters.toxic import Toxic
from flywheel.recipe import parse_recipe


@pytest.mark.parametrize(
    ("of", "reply", "asked", "rejected"),
    [
        (("reply",), 0.7, 0.0, True),
        (("reply",), 0.69, 0.9, False),
        (("input",), 0.9, 0.2, False),
        (("reply", "input"), 0.1, 0.95, True),
        (("reply", "input"), None, 0.2, False),  # not judged: stays
        (("reply", "input"), None, 0.95, True),
    ],
)
def test_toxic(of: tuple, reply: float | None, asked: float | None, rejected: bool) -> None:
    frame = pl.DataFrame(
        {"reply_toxicity": [reply], "input_toxicity": [asked]},
        schema={"reply_toxicity": pl.Float64, "input_toxicity": pl.Float64},
    )
    assert frame.select(Toxic(of=of).reject()).to_series().to_list() == [rejected]


def test_it_reads_no_more_than_it_is_asked_for() -> None:
    assert Toxic().needs == ("reply_toxicity",)
    with pytest.raises(ValidationError):
        Toxic(of=())


def test_without_the_signal_the_recipe_is_refused_with_the_cure() -> None:
    with pytest.raises(RecipeInvalid, match=r'Add it: \[\[signal\]\] use = "toxicity"'):
        parse_recipe('name = "x"\n[[filter]]\nuse = "toxic"')
    assert parse_recipe('name = "x"\n[[signal]]\nuse = "toxicity"\n[[filter]]\nuse = "toxic"').filters
