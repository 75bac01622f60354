import pytest

from flywheel.coverage.wanted import Coverage
from flywheel.errors import RecipeInvalid
from flywheel.recipe import parse_recipe

SET = 'name = "r"\n[[set]]\nname = "answers"\nuse = "sft"\nexport = ["trl"]\n'


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("[set.coverage.langauge]\nko = 0.3", 'there is no axis "langauge". Did you mean "language"'),
        ("[set.coverage.language]\nko = 0.7\nen = 0.5", "the least shares add up to 1.2"),
        ("[set.coverage.language]\nko = {min = 0.7, max = 0.5}", "min 0.7 is above max 0.5"),
        ("[set.coverage.language]\nko = {}", "has no bound"),
        ("[set.coverage.language]\nko = 1.3", "less than or equal to 1"),
        ("[set.coverage.language]\nko = {mim = 0.3}", 'there is no "mim" here. Did you mean "min"'),
        ("[set.coverage.answer_form]\nyesno = 0.3", 'there is no value "yesno". Did you mean "yes_no"'),
        ("[set.coverage.origin]\nsynthetic = {max = 0.5}", 'there is no value "synthetic"'),
        ("[set.coverage.detail]\nshort = {max = 0.3}\ndetailed = {max = 0.3}", "the largest shares of all its values"),
        ("[set.coverage.turns]\nmany = 0.3", '"many" is no range of numbers'),
        ('[set.coverage.turns]\n"1-3" = 0.3\n"3+" = 0.3', 'the ranges "1-3" and "3\\+" overlap'),
        ('[set.coverage]\nshow = ["turns"]', "say where ranges begin"),
        ('[set.coverage.turns]\n"1-3" = 0.3\n[set.coverage.bins]\nturns = [1, 2]', 'bins has no range "1-3"'),
        ("[set.coverage.bins]\nlanguage = [1, 2]", "its values are no numbers"),
        ('[set.coverage.cells]\n"language=ko" = 0.3', "is no cell"),
        ('[set.coverage.cells]\n"language=ko, tpoic=a" = 0.3', 'there is no axis "tpoic"'),
        (
            '[set.coverage.cells]\n"language=ko, detail=short" = 0.3\n[set.coverage.language]\nko = {max = 0.2}',
            "at most 0.2 of language=ko",
        ),
        ("[set.mix.language]\nko = 0.1\nen = 0.9\n[set.coverage.language]\nko = 0.3", 'the mix gives "ko" 0.1, less'),
        (
            "[set.mix.language]\nko = 0.1\nen = 0.9\n[set.coverage.language]\nen = {max = 0.3}",
            'the mix gives "en" 0.9, more',
        ),
        ('[set.coverage.usage]\naxes = ["thumb"]', 'there is no axis "thumb"'),
        ("[set.coverage.usage]\naxes = []", "at least 1 item"),
    ],
)
def test_what_cannot_be_covered_is_refused_with_the_cure(wish, why):
    with pytest.raises(RecipeInvalid, match=why):
        parse_recipe(SET + wish + "\n")


def test_every_further_table_is_an_axis_and_a_number_is_the_least():
    wanted = Coverage.model_validate({"severity": "warn", "language": {"ko": 0.3, "en": {"max": 0.6}}})
    assert wanted.axes["language"]["ko"].min == 0.3
    assert wanted.axes["language"]["en"].max == 0.6
    assert Coverage.model_validate(wanted.model_dump(mode="json")) == wanted
    assert wanted.read == ("language",)


def test_what_coverage_reads_is_measured_and_nothing_else():
    bare = parse_recipe(SET)
    asked = parse_recipe(
        SET + '[set.coverage.answer_form]\nyes_no = 0.1\n[set.coverage.drift]\naxes = ["topic_cluster"]\n'
    )
    assert {s.use for s in asked.signals} - {s.use for s in bare.signals} == {"answer_form", "topic_cluster"}


def test_a_set_may_not_have_the_name_of_anothers_coverage():
    with pytest.raises(RecipeInvalid, match="what the coverage of"):
        parse_recipe(SET + '[[set]]\nname = "answers_coverage"\nuse = "sft"\nexport = ["trl"]\n')
