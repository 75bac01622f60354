"""Sources with their ancestors, terms of models, and what a recipe cannot mean."""

import pytest

from flywheel.errors import RecipeInvalid
from flywheel.recipe import parse_recipe
from flywheel.rights.registry import RegisteredSource, Registry, TeacherTerms, bundled


def source(name: str, licence: str, *made_from: str, **more: object) -> RegisteredSource:
    return RegisteredSource.model_validate({"name": name, "licence": licence, "made_from": made_from, **more})


def test_row_57_the_strictest_ancestor_wins_and_the_path_is_shown() -> None:
    chain = Registry(
        sources=(source("mix", "MIT", "clean", "forum"), source("clean", "Apache-2.0"), source("forum", "CC-BY-NC-4.0"))
    )
    assert chain.standing("mix").restricts == ("non_commercial",)
    assert chain.standing("mix").path == "mix (MIT) <- forum (CC-BY-NC-4.0)"
    deeper = Registry(sources=(*chain.sources, source("mixed_again", "CC-BY-SA-4.0", "mix")))
    assert deeper.standing("mixed_again").restricts == ("non_commercial", "share_alike")
    assert deeper.standing("mixed_again").path == "mixed_again (CC-BY-SA-4.0) <- mix (MIT) <- forum (CC-BY-NC-4.0)"
    assert deeper.standing("clean").restricts == ()


def test_unknown_is_a_state_and_stricter_than_any_licence() -> None:
    registry = Registry(sources=(source("mix", "CC-BY-NC-4.0", "found"), source("found", "unknown")))
    assert registry.standing("mix").restricts == ("unknown", "non_commercial")
    assert registry.standing("mix").path.endswith("found (unknown)")


def test_what_a_contract_says_counts_more_than_the_list() -> None:
    assert source("bought", "CC-BY-NC-4.0", restricts=[]).own_restrictions == ()
    assert source("own", "LicenseRef-own", restricts=["forbidden"]).own_restrictions == ("forbidden",)


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("gpt-4o-mini", "no_competing"),
        ("gpt-oss-20b", "allowed"),
        ("GPT-4o", "no_competing"),
        ("claude-sonnet-4", "needs_permission"),
        ("gemini-2.5-pro", "no_competing"),
        ("meta-llama/Llama-3.3-70B-Instruct", "allowed"),
        ("meta-llama/Meta-Llama-3-8B", "same_family"),
        ("DeepSeek-R1", "allowed"),
        ("EXAONE-3.5-32B", "non_commercial"),
        ("house-model-7", "unknown"),
        (None, "unknown"),
    ],
)
def test_terms_of_well_known_models(model: str | None, terms: str) -> None:
    assert Registry().terms(model).terms == terms


def test_the_recipes_terms_come_first() -> None:
    mine = TeacherTerms(models=("gpt-*",), terms="allowed", source="contract of 2026-01-01")
    assert Registry(teachers=(mine,)).terms("gpt-4o").source == "contract of 2026-01-01"


def test_every_bundled_entry_is_dated_and_names_its_document() -> None:
    assert len(bundled()) > 10
    assert all(t.as_of and t.source for t in bundled())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[source]]\nname = "a"\nlicence = "cc-by-nc"\nfiles = ["x"]', "which is not in the SPDX list"),
        ('[[source]]\nname = "a"\nlicence = "MIT"', "says nothing of which rows are its own"),
        (
            '[[source]]\nname = "a"\nlicence = "MIT"\nfiles = ["x"]\nmade_from = ["forun"]\n[[source]]\nname = "forum"\nlicence = "MIT"\nfiles = ["y"]',
            'there is no source "forun". Did you mean "forum"',
        ),
        ('[[source]]\nname = "a"\nlicence = "MIT"\nfiles = ["x"]\nmade_from = ["a"]', "is made of itself"),
        ('[[source]]\nname = "a"\nlicence = "MIT"\nfiles = ["x"]\n' * 2, "the name is used 2 times"),
        (
            '[[source]]\nname = "a"\nlicence = "MIT"\nwhere = { column = "language", operator = "is", value = "ko" }',
            "expected columns of the conversation",
        ),
        ("[purpose]\ncommercial = true", "purpose.distributed: is missing"),
        ('[[teacher]]\nmodels = ["x"]\nterms = "no_compete"', "no_competing"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(RecipeInvalid, match=r"(?s).*") as refused:
        parse_recipe(f'name = "r"\n{text}')
    assert said in str(refused.value)
