"""The opposite, or only other words."""

import polars as pl
import pytest

from flywheel.texts.contradictions import features, of_answers, of_questions


def verdict(first: str, second: str, of=of_answers) -> tuple[str, str]:
    a, b = features(pl.Series([first, second]))
    told = of(a, b)
    assert of(b, a)[:2] == told[:2], "who comes first does not matter"
    assert told.why
    assert 0.0 <= told.similarity <= 1.0
    return told.verdict, told.rule


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ("Yes.", "No.", "yes_or_no"),
        ("**Yes**, it is open on Sundays.", "No, it opens on Monday.", "yes_or_no"),
        ("네, 가능합니다.", "아니요, 불가능합니다.", "yes_or_no"),
        ("はい、開いています。", "いいえ、閉まっています。", "yes_or_no"),
        ("是的。", "不是。", "yes_or_no"),
        ("He pays 3 * 6 = 18.\n#### 18", "He pays 3 * 7 = 21.\n#### 21", "final_answer"),
        ("So the answer is Paris.", "All in all, the answer is London.", "final_answer"),
        (r"Thus \boxed{12}", r"Thus \boxed{13}", "final_answer"),
        ("정답은 12입니다.", "정답은 15입니다.", "final_answer"),
        ("You have 30 days to return it.", "You have 14 days to return it.", "numbers"),
        ("환불은 30일 안에 가능합니다.", "환불은 14일 안에 가능합니다.", "numbers"),
        ("It is refundable.", "It is not refundable.", "negation"),
        ("You can change the name later.", "You can't change the name later.", "negation"),
        ("이 표는 환불이 됩니다.", "이 표는 환불이 되지 않습니다.", "negation"),
        ("Paris", "London", "nothing_in_common"),
    ],
)
def test_row_137_contradictions(first: str, second: str, rule: str) -> None:
    assert verdict(first, second) == ("contradiction", rule)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Yes, it is.", "Yes, of course it is open."),
        ("Sure! Hold the button for ten seconds.", "Press and hold the power button, then wait for the light."),
        ("#### 1,200.50", "That makes\n#### $1200.5"),
        ("You have 30 days.", "Within 30 days you may send it back and get your money."),
        ("1. Open it.\n2. Close it.", "1) Open it.\n3) Close it."),  # numbers of items are no numbers
        ("안녕하세요. 무엇을 도와드릴까요?", "안녕하세요! 도와드릴 일이 있나요?"),
        ("A poem about the sea and its many moods.", "Waves roll, and nobody asks them why they come."),
        ("", "It depends."),
        ("", ""),
    ],
)
def test_row_137_variations(first: str, second: str) -> None:
    assert verdict(first, second)[0] == "variation"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Is it open?", "Is it not open?", ("contradiction", "negation")),
        ("What is 2 plus 3?", "What is 2 plus 4?", ("contradiction", "numbers")),
        ("When do you open?", "At what time may I come in?", ("variation", "wording")),
        ("Paris", "London", ("variation", "wording")),
        ("Yes?", "No?", ("variation", "wording")),
    ],
)
def test_row_137_questions_with_one_answer(first: str, second: str, expected: tuple[str, str]) -> None:
    assert verdict(first, second, of_questions) == expected


def test_a_hostile_text_is_read_in_a_moment() -> None:
    long = "the answer is " * 50_000 + "#### " * 50_000 + "1," * 50_000
    assert verdict(long, long + " not 2")[0] in ("variation", "contradiction")
