import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.filters.misses_requirement import MissesRequirement
from flywheel.recipe import parse_recipe
from flywheel.stages.curate import judge
from flywheel.tuning.preview import parse_filter
from tests.build import chat
from tests.measured import measured


def reasons(reply: str, rule: MissesRequirement, **columns: object) -> list[str]:
    row = chat("user: Rate it", {"role": "assistant", "content": reply}, **columns)
    return judge(measured(row, rule).lazy(), [rule]).collect()["reasons"].to_list()[0]


GRADE = MissesRequirement(requires=("score", "rationale"))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Score: 4/5", ["MISSING_RATIONALE"]),
        ("4", ["MISSING_RATIONALE"]),
        ("8 out of 10 points", ["MISSING_RATIONALE"]),
        ("점수: 4점", ["MISSING_RATIONALE"]),
        ("Score: 3. Rationale: none.", ["MISSING_RATIONALE"]),
        ("The answer is polite but leaves out the refund rule.", ["MISSING_SCORE"]),
        ("Fine.", ["MISSING_SCORE", "MISSING_RATIONALE"]),
        ("", ["MISSING_SCORE", "MISSING_RATIONALE"]),
        ("4/5. The answer is polite but leaves out the refund rule.", []),
        ("4점. 친절하지만 환불 규정을 빠뜨렸습니다.", []),
        ("4点。丁寧ですが返金の規則が抜けています。", []),
        ('{"score": 4, "rationale": "polite but leaves out the rule"}', []),
    ],
)
def test_a_score_and_a_rationale(reply, expected):
    """Row 18."""
    assert reasons(reply, GRADE) == expected


@pytest.mark.parametrize(
    ("spec", "reply", "expected"),
    [
        ({"requires": ["json"]}, '{"a": [1, 2]}', []),
        ({"requires": ["json"]}, '```json\n{"a": 1}\n```', []),
        ({"requires": ["json"]}, 'Here it is: {"a": 1}', ["NOT_JSON"]),
        ({"requires": ["json"]}, "{" * 100_000, ["NOT_JSON"]),
        ({"requires": ["json"]}, "", ["NOT_JSON"]),
        ({"max_words": 3}, "one two three", []),
        ({"max_words": 3}, "one two three four", ["TOO_MANY_WORDS"]),
        ({"min_words": 2}, "네.", ["TOO_FEW_WORDS"]),
        ({"pattern": "^(?:yes|no)$"}, "yes", []),
        ({"pattern": "^(?:yes|no)$"}, "yes, of course", ["PATTERN_NOT_MET"]),
        ({"language": "ko"}, "The parcel left our warehouse this morning and will arrive soon.", ["WRONG_LANGUAGE"]),
        ({"language": "ko"}, "소포는 오늘 아침에 출발했습니다.", []),
        ({"language": "ko"}, "OK", []),  # too little to tell
    ],
)
def test_requirements(spec, reply, expected):
    assert reasons(reply, MissesRequirement.model_validate(spec)) == expected


def test_a_specification_is_of_the_calls_it_names():
    rule = MissesRequirement.model_validate(
        {"requires": ["score"], "where": {"column": "app", "operator": "is", "value": "grader"}}
    )
    assert reasons("Fine.", rule, app="grader") == ["MISSING_SCORE"]
    assert reasons("Fine.", rule, app="shop") == []
    assert reasons("Fine.", rule) == []  # the log does not say


def test_a_bare_tool_call_answers_nothing_yet():
    row = chat("user: x", {"role": "assistant", "tool_calls": '[{"id":"c","function":{"name":"f","arguments":"{}"}}]'})
    assert row.select(GRADE.reject()).item() is False


def test_two_specifications_that_find_the_same_say_it_once():
    text = '[[filter]]\nuse = "misses_requirement"\nrequires = ["score"]\nname = '
    filters = parse_recipe(f'name = "r"\n{text}"one"\n{text}"two"').filters
    row = chat("user: x", "assistant: Fine.")
    assert judge(row.lazy(), filters).collect()["reasons"].to_list() == [["MISSING_SCORE"]]
    assert row.select(pl.any_horizontal([f.reject() for f in filters])).item() is True


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "requires nothing"),
        ('requires = ["poem"]', "Allowed: score, rationale, json"),
        ('pattern = "("', "unclosed group"),
        (
            'requires = ["score"]\nwhere = { column = "near_group", operator = "is", value = "x" }',
            "signal of single rows",
        ),
    ],
)
def test_specifications_that_cannot_be(spec, says):
    with pytest.raises(RecipeInvalid, match=says):
        parse_filter(f'use = "misses_requirement"\n{spec}')
