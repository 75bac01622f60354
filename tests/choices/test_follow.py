"""What a mix follows: shares from counts, floors, blends, names for values, and wishes that cannot be."""

import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flywheel.choices.follow import Counted, Follow, Usage, floored, resolved, smoothed, total_variation
from flywheel.choices.mix import REFERENCE_MIXES, largest_remainder
from flywheel.errors import MixInvalid

DAY = dt.date(2026, 3, 2)


def counted(**values: float) -> Counted:
    return Counted(values, int(sum(values.values())), 0, DAY, DAY)


def test_row_36_distance_of_usage_and_set() -> None:
    usage = {"billing": 0.5, "login": 0.3, "refund": 0.2}
    assert total_variation(usage, {"billing": 0.7, "login": 0.2, "refund": 0.1}) == pytest.approx(0.20)
    assert total_variation({"a": 1.0}, {"b": 1.0}) == 1.0
    assert total_variation(usage, usage) == 0.0


@pytest.mark.parametrize(
    ("mix", "n", "expected"),
    [
        ("llama3_sft", 1_000, [527, 212, 149, 30, 81, 1]),
        ("llama3_sft", 10_000, [5266, 2119, 1489, 301, 814, 11]),
        ("llama3_preference", 1_000, [820, 59, 69, 52]),
        ("llama3_pretraining", 1_000, [500, 250, 170, 80]),
    ],
)
def test_row_34_a_reference_followed_keeps_its_exact_shares(mix: str, n: int, expected: list[int]) -> None:
    told = resolved("app", Follow(reference=mix), None)
    assert told["reference"] == {"name": mix, "shares": REFERENCE_MIXES[mix]}
    counts = largest_remainder(n, told["shares"])
    assert [counts[name] for name in REFERENCE_MIXES[mix]] == expected


def test_smoothing_pulls_few_counts_together() -> None:
    assert smoothed({"a": 9, "b": 1}, 0) == {"a": 0.9, "b": 0.1}
    assert smoothed({"a": 9, "b": 1}, 5) == {"a": 0.7, "b": 0.3}


def test_a_floor_lifts_rare_values_and_the_others_pay_in_proportion() -> None:
    got = floored("app", {"a": 0.8, "b": 0.19, "c": 0.01}, 0.1)
    assert got == pytest.approx({"a": 0.8 * 0.9 / 0.99, "b": 0.19 * 0.9 / 0.99, "c": 0.1})
    # What the first pass takes may push another one below: it is lifted, too.
    again = floored("app", {"a": 0.69, "b": 0.205, "c": 0.105, "d": 0.0}, 0.1)
    assert min(again.values()) >= 0.1 - 1e-12


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(1, 999), min_size=1, max_size=8),
    st.floats(0, 0.125),
)
def test_floored_shares_add_up_and_none_is_below(counts: dict[str, int], floor: float) -> None:
    got = floored("x", smoothed(counts, 0), floor)
    assert sum(got.values()) == pytest.approx(1.0)
    assert min(got.values()) >= floor - 1e-9
    order = sorted(counts, key=lambda v: (counts[v], v))
    assert all(got[a] <= got[b] + 1e-9 for a, b in itertools.pairwise(order))


def test_a_floor_that_cannot_be_is_a_sentence() -> None:
    with pytest.raises(MixInvalid, match=r"3 values of at least floor = 0.4 each are more than the whole. Lower floor"):
        floored("app", smoothed({"a": 1, "b": 1, "c": 1}, 0), 0.4)


def test_a_window_without_logs_is_a_sentence_with_the_cure() -> None:
    with pytest.raises(MixInvalid, match=r"no call from 2026-03-02 to 2026-03-02 has a value of app.*longer window"):
        resolved("app", Follow(usage=Usage()), counted())


def test_a_blend_of_usage_and_declared() -> None:
    follow = Follow(declared={"billing": 0.5, "vip": 0.5}, usage=Usage(), blend={"usage": 0.75, "declared": 0.25})
    told = resolved("app", follow, counted(billing=60, login=40))
    assert told["shares"] == pytest.approx({"billing": 0.75 * 0.6 + 0.125, "login": 0.3, "vip": 0.125})
    assert sum(told["shares"].values()) == pytest.approx(1.0)
    assert (told["usage"]["n"], told["usage"]["counted"]) == (100, {"billing": 60, "login": 40})


def test_what_counts_nothing_is_measured_and_no_more() -> None:
    follow = Follow(declared={"a": 1.0}, usage=Usage(), blend={"usage": 0.0, "declared": 1.0})
    told = resolved("app", follow, counted(a=1, b=9))
    assert told["shares"] == {"a": 1.0}
    assert told["usage"]["shares"] == {"a": 0.1, "b": 0.9}


def test_rare_values_may_be_left_out() -> None:
    told = resolved("app", Follow(usage=Usage(least=0.05)), counted(a=95, b=4, c=6))
    assert set(told["shares"]) == {"a", "c"}
    with pytest.raises(MixInvalid, match=r"smaller share than least = 0.9"):
        resolved("app", Follow(usage=Usage(least=0.9)), counted(a=1, b=1))


def test_values_go_under_the_names_of_the_reference() -> None:
    follow = Follow(
        reference="llama3_preference",
        values={"code": ("sql", "review"), "general_english": ("*",), "multilingual": ("translator",)},
    )
    apps = pl.DataFrame({"app": ["sql", "review", "chat", None, "reasoning_and_tools", "translator"]})
    assert apps.select(follow.under(pl.col("app"))).to_series().to_list() == [
        "code", "code", "general_english", None, "reasoning_and_tools", "multilingual",
    ]  # fmt: skip
    plain = Follow(declared={"code": 1.0}, values={"code": ("sql",)})
    assert apps.select(plain.under(pl.col("app"))).to_series().to_list()[:3] == ["code", "review", "chat"]
    all_one = Follow(usage=Usage(), values={"all": ("*",)})
    assert apps.select(all_one.under(pl.col("app"))).to_series().to_list()[:4] == ["all", "all", "all", None]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "follows nothing; give declared, reference or usage"),
        ({"reference": "llama3_stf"}, 'there is no reference mix "llama3_stf". Did you mean "llama3_sft"?'),
        ({"declared": {"a": 0.5, "b": 0.4}}, "the declared shares add up to 0.9; expected 1"),
        ({"declared": {"a": 1.0}, "usage": {}}, "blend has to say how much each counts: declared, usage; it names none"),
        (
            {"declared": {"a": 1.0}, "usage": {}, "blend": {"usage": 0.5, "declared": 0.6}},
            "the weights of blend add up to 1.1; expected 1",
        ),
        ({"usage": {}, "blend": {"declared": 1.0}}, "blend names declared, but only usage is given; leave blend out"),
        ({"declared": {"a": 1.0}, "values": {"a": ["x"], "b": ["x"]}}, 'values has "x" under two names'),
        (
            {"reference": "llama3_sft", "values": {"coding": ["x"]}},
            'values names "coding", which has no share. Did you mean "code"?',
        ),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as e:
        Follow.model_validate(said)
    assert why in str(e.value)
