"""Types that drift are counted, consent is asked for once, and a mistake in the policy is a sentence."""

import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.protection.policy import type_drift
from flywheel.recipe import parse_recipe


@pytest.mark.parametrize(
    ("declared", "values", "found"),
    [
        ("float", ["1.0", "2.5", "null"], {}),
        ("float", ["1", "2.5", "3"], {"metadata.score is int": 2}),
        ("int", ["1", '"1"'], {"metadata.score is string": 1}),
        ("number", ["1", "2.5", "true"], {"metadata.score is bool": 1}),
        ("object", ['{"a":1}', "[1]"], {"metadata.score is list": 1}),
    ],
)
def test_row_20_a_type_that_drifts_is_counted(declared: str, values: list[str], found: dict[str, int]) -> None:
    frame = pl.DataFrame({"metadata": [*(f'{{"metadata":{{"score":{v}}}}}' for v in values), "{}", None]})
    assert type_drift(frame, {"metadata.score": declared}) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('require = { "metadata..consent" = true }', 'policy.require: "metadata..consent" is no path'),
        ('types = { "metadata.x" = "flaot" }', "policy.types.metadata.x: found 'flaot'"),
        ('types = { "metadata[0]" = "int" }', 'policy.types: "metadata[0]" is no path'),
        ('drop_fields = [""]', "policy.drop_fields: a name is empty"),
        ("max_age_days = -1", "policy.max_age_days"),
        ("drop_field = []", 'there is no "drop_field" here. Did you mean "drop_fields"?'),
    ],
)
def test_a_mistake_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(RecipeInvalid) as e:
        parse_recipe(f'name = "x"\n[policy]\n{text}')
    assert says in str(e.value)


def test_consent_asked_for_twice_is_refused() -> None:
    filter_ = '[[filter]]\nuse = "no_consent"\nrequire = { "metadata.consent" = true }\n'
    with pytest.raises(RecipeInvalid, match="no_consent"):
        parse_recipe(f'name = "x"\n[policy]\nrequire = {{ "metadata.consent" = true }}\n{filter_}')


def test_checks_without_anything_to_look_for_are_declared_off() -> None:
    idle, busy = parse_recipe('name = "x"'), parse_recipe('name = "x"\n[policy]\ndrop_fields = ["a"]')
    assert idle.check["screened"]["no_forbidden_field_is_left"].severity == "off"
    assert idle.check["conversations"]["types_are_as_declared"].severity == "off"
    assert "no_forbidden_field_is_left" not in busy.check.get("screened", {})
