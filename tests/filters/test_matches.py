import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.filters.matches import Matches
from flywheel.recipe import parse_recipe
from flywheel.stages.curate import judge
from flywheel.tuning.preview import parse_filter
from tests.build import chat

ROW = chat(
    "system: Be kind",
    "user: Wo ist mein Paket?",
    "assistant: I'm SORRY, 환불은 안 됩니다. It costs $5.",
    app="shop",
    turn=3,
)


def hits(column: str, operator: str, value: object, **more: object) -> bool | None:
    rule = Matches(name="rule", column=column, operator=operator, value=value, **more)
    return ROW.select(rule.reject()).item()


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("reply", "contains", "sorry", True),
        ("reply", "contains", "환불", True),
        ("reply", "contains", "$5.", True),
        ("reply", "contains", "s.rry", False),
        ("reply", "matches", "s.rry", True),
        ("reply", "matches", r"\$[0-9]+", True),
        ("reply", "starts_with", "i'm", True),
        ("reply", "starts_with", "sorry", False),
        ("reply", "ends_with", ["x", "$5."], True),
        ("input", "contains", "paket", True),
        ("user_text", "contains", "sorry", False),
        ("text", "contains", "be kind", True),
        ("app", "is", ["tutor", "Shop"], True),
        ("app", "is_not", ["tutor", "shop"], False),
        ("app", "is_not", "tutor", True),
        ("turn", "above", 2, True),
        ("turn", "above", 3, False),
        ("turn", "at_least", 3, True),
        ("turn", "below", 3.5, True),
        ("turn", "at_most", 2, False),
        ("turn", "is", 3, True),
        ("latency_ms", "above", 1, None),  # not known: the row stays
        ("model", "above", 1, None),  # no number
    ],
)
def test_operators(column, operator, value, expected):
    assert hits(column, operator, value) is expected


def test_case_counts_where_the_rule_says_so():
    assert hits("reply", "contains", "sorry", ignore_case=False) is False
    assert hits("reply", "matches", "SORRY", ignore_case=False) is True
    assert hits("app", "is", "SHOP", ignore_case=False) is False


def test_the_name_is_the_reason_and_the_rule_says_what_it_rejects():
    rules = (
        Matches(name="sorry", column="reply", operator="contains", value="sorry"),
        Matches(name="costly", column="reply", operator="contains", value="$", of="target"),
    )
    judged = judge(ROW.lazy(), rules).collect()
    assert judged["reasons"].to_list() == [["sorry"]]
    assert judged["undesired"].to_list() == [["costly"]]


RULE = 'use = "matches"\nname = "rule"\n'


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('column = "reply"\noperator = "matches"\nvalue = "("', "unclosed group"),
        ('column = "reply"\noperator = "matches"\nvalue = "(?=x)"', "look-around"),
        ('column = "reply"\noperator = "matches"\nvalue = "((a{1000}){1000})"', "exceeds size limit"),
        (f'column = "reply"\noperator = "matches"\nvalue = "{"a" * 1001}"', "at most 1,000"),
        ('column = "reply"\noperator = "contains"\nvalue = 3', "compares with text"),
        ('column = "turn"\noperator = "above"\nvalue = "3"', "compares with a number"),
        ('column = "reply"\noperator = "contains"\nvalue = ""', "something to look for"),
        ('column = "app"\noperator = "is"\nvalue = []', "something to look for"),
        ('column = "language_"\noperator = "is"\nvalue = "en"', 'Did you mean "language"'),
        ('column = "near_similarity"\noperator = "above"\nvalue = 0.5', "signal of single rows"),
        ('column = "reply"\noperator = "eval"\nvalue = "1"', "Allowed: contains"),
    ],
)
def test_rules_that_cannot_be(rule, says):
    with pytest.raises(RecipeInvalid, match=says):
        parse_filter(RULE + rule)


def test_a_recipe_may_have_several_rules_of_different_names():
    rule = '[[filter]]\nuse = "matches"\ncolumn = "reply"\noperator = "contains"\nvalue = "x"\nname = '
    assert len(parse_recipe(f'name = "r"\n{rule}"one"\n{rule}"two"').filters) == 2
    with pytest.raises(RecipeInvalid, match='"one" is there 2 times'):
        parse_recipe(f'name = "r"\n{rule}"one"\n{rule}"one"')
    with pytest.raises(RecipeInvalid, match='"refusal" is there 2 times'):
        parse_recipe(f'name = "r"\n{rule}"refusal"\n[[filter]]\nuse = "refusal"')


def test_an_expression_made_to_hurt_is_linear():
    row = pl.concat([chat("user: x", {"role": "assistant", "content": "a" * 200_000 + "!"})])
    assert row.select(Matches(name="r", column="reply", operator="matches", value="^(a+)+$").reject()).item() is False
