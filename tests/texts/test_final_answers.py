"""Final answers: found, read and compared."""

from fractions import Fraction

import pytest

from flywheel.texts.final_answers import agree, boxed, choice_letter, final_of, last_number


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("3 + 6 = 9\n#### 9", "9"),
        (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\boxed{never closed", r"\boxed{never closed"),
        (" nine ", "nine"),
    ],
)
def test_row_7_where_the_answer_stands(text, final):
    assert final_of(text) == final


def test_an_open_box_before_a_closed_one_is_passed_over():
    assert boxed(r"\boxed{a} and \boxed{b") == "a"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("first 3, then 1,234.50", Fraction("1234.5")),
        ("-5", Fraction(-5)),
        (".5", Fraction(1, 2)),
        ("3/4", Fraction(3, 4)),
        (r"-\frac{1}{2}", Fraction(-1, 2)),
        ("1/2 of 8 is 4", Fraction(4)),
        ("1/0", None),
        ("nine", None),
    ],
)
def test_row_7_the_last_number_is_read_exactly(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (B).", "B"),
        ("C", "C"),
        ("B) because A is wrong, as we saw", "B"),
        ("It is A.", "A"),
        ("We choose (D) over the others", "D"),
        ("A good question", None),
        ("Bad", None),
    ],
)
def test_row_7_a_choice_is_a_letter(text, letter):
    assert choice_letter(text) == letter


@pytest.mark.parametrize(
    ("answer", "expected", "by", "same"),
    [
        ("They have 9 apples.", "... #### 9", "number", True),
        (r"\boxed{0.5}", "1/2", "number", True),
        ("8", "9", "number", False),
        ("", "", "number", False),
        ("(b)", "B", "choice", False),
        ("The answer is B", "(B)", "choice", True),
        ("Seoul.", "seoul", "text", True),
        ("Seoul", "seoul", "exact", False),
        (" Seoul ", "Seoul", "exact", True),
    ],
)
def test_row_7_answers_are_compared_as_the_recipe_says(answer, expected, by, same):
    assert agree(answer, expected, by) is same
