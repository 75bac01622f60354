import datetime as dt
import resource
import time

import polars as pl
import pytest
from pydantic import ValidationError

from flywheel.conditions import Condition
from flywheel.recipe import parse_recipe
from flywheel.stages.curate import judge
from tests.build import chat, rows

ROW = chat(
    "system: Be kind",
    "user: Wo ist mein Paket?",
    "assistant: Sorry, 환불은 안 됩니다. It costs $5.",
    app="shop",
    turn=3,
    user="user_1",
    metadata='{"plan":"Pro","seats":12,"beta":true,"org":{"na me":"x"},"tags":["a","b"]}',
)


def asked(**of):
    return ROW.select(Condition.model_validate(of).holds()).item()


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("metadata.plan", "is", "pro", True),
        ("metadata.plan", "is", ["free", "team"], False),
        ("metadata.seats", "above", 10, True),
        ("metadata.seats", "is", 12, True),
        ("metadata.beta", "is", True, True),
        ("metadata.beta", "is", False, False),
        ("metadata.org.na me", "is", "x", True),
        ("metadata.org.none", "is", "x", None),
        ("metadata.none", "is_not", "x", None),
        ("parameters.temperature", "above", 1, None),  # the log has none
        ("metadata", "contains", "seats", True),
        ("day", "at_least", dt.date(2026, 3, 2), True),
        ("day", "above", "2026-03-02", False),
        ("occurred_at", "at_most", "2026-03-02", True),
        ("occurred_at", "is", "2026-03-02", True),
        ("occurred_at", "is_not", ["2026-03-01", "2026-03-03"], True),
        ("occurred_at", "below", "2026-03-02", False),
        ("user", "is", "user_1", True),
        ("source", "is", "openai_chat", True),
        ("reply", "has_word", "cost", False),
        ("reply", "has_word", ["nothing", "SORRY"], True),
        ("reply", "has_word", "환불", True),
        ("reply", "has_word", "$5", True),
        ("reply", "contains", ["nothing", "환불"], True),
        ("reply", "matches", ["^nothing", "[$][0-9]"], True),
    ],
)
def test_comparisons(column, operator, value, expected):
    assert asked(column=column, operator=operator, value=value) is expected


YES = {"column": "app", "operator": "is", "value": "shop"}
NO = {"column": "app", "operator": "is", "value": "tutor"}
UNKNOWN = {"column": "latency_ms", "operator": "above", "value": 1}


@pytest.mark.parametrize(
    ("joined", "expected"),
    [
        ({"all_of": [YES, YES]}, True),
        ({"all_of": [YES, NO]}, False),
        ({"any_of": [NO, YES]}, True),
        ({"none_of": [NO]}, True),
        ({"none_of": [NO, YES]}, False),
        ({"all_of": [YES], "any_of": [NO, YES], "none_of": [NO]}, True),
        ({"all_of": [YES], "none_of": [YES]}, False),
        ({"any_of": [{"all_of": [YES, {"none_of": [NO]}]}, NO]}, True),
        ({"all_of": [YES, UNKNOWN]}, None),
        ({"all_of": [NO, UNKNOWN]}, False),
        ({"any_of": [YES, UNKNOWN]}, True),
        ({"none_of": [UNKNOWN]}, None),
    ],
)
def test_conditions_joined(joined, expected):
    assert asked(**joined) is expected


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ({}, "is no condition"),
        ({"column": "app"}, "is no condition"),
        (YES | {"all_of": [YES]}, "is no condition"),
        ({"all_of": [{"column": "app"}]}, "is no condition"),
        ({"column": "day", "operator": "above", "value": "yesterday"}, "expected a day such as"),
        ({"column": "day", "operator": "above", "value": 3}, "expected a day such as"),
        ({"column": "day", "operator": "contains", "value": "2026"}, "a day is compared by"),
        ({"column": "metadata.", "operator": "is", "value": "x"}, "is no path"),
        ({"column": "metadata.a'] | $['b", "operator": "is", "value": "x"}, "is no path"),
        ({"column": "metadata..plan", "operator": "is", "value": "x"}, "is no path"),
        ({"column": "app.plan", "operator": "is", "value": "x"}, "paths begin with"),
        ({"any_of": [YES] * 201}, "too many conditions"),
        ({"column": "reply", "operator": "matches", "value": ["(?P<a>x)", "(?P<a>y)"]}, "cannot be used"),
        ({"column": "reply", "operator": "matches", "value": ["a" * 600, "b" * 600]}, "at most 1,000"),
        ({"column": "reply", "operator": "has_word", "value": ["w" * 300] * 400}, "at most 100,000"),
    ],
)
def test_what_is_no_condition(of, says):
    with pytest.raises(ValidationError, match=says):
        Condition.model_validate(of)


def test_conditions_are_so_deep_and_no_deeper():
    deep = YES
    for _ in range(5):
        deep = {"none_of": [deep]}
    assert asked(**deep) is False
    with pytest.raises(ValidationError, match="6 deep"):
        Condition.model_validate({"none_of": [deep]})


BOMBS = [
    "(a{1000}){1000}",
    "((a{1000}){1000}){1000}",
    "(?:\\w{500}){500}",
    "((((a{1,100}){1,100}){1,100}){1,100})",
    "\\pL{1000}" * 40,
    "x{4294967295}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_expression_that_would_take_much_memory_is_refused_by_a_sentence(bomb):
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ValidationError, match="cannot be used: "):
        Condition.model_validate({"column": "reply", "operator": "matches", "value": bomb})
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_many_expressions_share_one_bound():
    one = "(?:[a-z]{40}){40}"
    assert asked(column="reply", operator="matches", value=one) is False
    with pytest.raises(ValidationError, match=r"cannot be used: |at most 1,000"):
        Condition.model_validate({"column": "reply", "operator": "matches", "value": [f"{i}{one}" for i in range(300)]})


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*b", "(.*a){12}b", "(?:a?){30}a{30}b"])
def test_time_is_linear_in_the_text(pattern):
    row = chat("user: x", {"role": "assistant", "content": "a" * 1_000_000 + "!"})
    started = time.process_time()
    assert row.select(Condition(column="reply", operator="matches", value=pattern).holds()).item() is False
    assert time.process_time() - started < 5


def test_filters_by_date_and_source_sum_up():
    """Row 110: 1,000 -> by date 900 -> by source 850."""
    frame = rows(
        *[
            chat("user: hi", "assistant: yes", id=f"s:{n:04}", occurred_at=dt.datetime(2026, 3, 1 if n % 10 == 0 else 2, tzinfo=dt.UTC),
                 source="old" if n % 20 in (1,) else "new")
            for n in range(1000)
        ]
    )  # fmt: skip
    recipe = parse_recipe(
        'name = "r"\n[[filter]]\nuse = "matches"\nname = "date"\ncolumn = "day"\noperator = "below"\nvalue = 2026-03-02\n'
        '[[filter]]\nuse = "matches"\nname = "source"\ncolumn = "source"\noperator = "is"\nvalue = "old"'
    )
    first = judge(frame.lazy(), recipe.filters).collect().select(pl.col("reasons").list.first())
    assert dict(first.drop_nulls().group_by("reasons").len().iter_rows()) == {"date": 100, "source": 50}


def test_a_rule_of_a_recipe_may_join_conditions():
    text = """name = "r"
[[filter]]
use = "matches"
name = "free_and_sorry"
all_of = [
  { column = "metadata.plan", operator = "is", value = "free" },
  { any_of = [{ column = "reply", operator = "contains", value = ["sorry", "죄송"] }, { column = "turns", operator = "above", value = 3 }] },
]
none_of = [{ column = "user", operator = "is", value = "user_9" }]
"""
    [rule] = parse_recipe(text).filters
    assert rule.needs == ("turns",)
    assert rule.reason == "free_and_sorry"
    with pytest.raises(Exception, match="near_group"):
        parse_recipe(text.replace('"turns"', '"near_group"'))
