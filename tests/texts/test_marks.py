"""Marks: what stands around the last and between them, in bounded time."""

import time

import pytest

from flywheel.sets.cot import Cot
from flywheel.sets.stepwise import Stepwise
from flywheel.texts.marks import LONGEST, around_last, between, fit
from tests.trainers import told

BOMBS = ["^(a+)+$", "(a|a)*b", "(.*a){12}b", "(?:a?){30}a{30}b", r"(\s*a*)*!"]


@pytest.mark.parametrize(
    ("text", "mark", "found"),
    [
        ("no mark", "####", None),
        ("", "####", None),
        ("3 + 6\n#### 9", "####", ("3 + 6\n", " 9")),
        ("a #### b #### c", "####", ("a #### b ", " c")),
        ("a ##### 9", "#+", ("a ", " 9")),
        ("The ANSWER is 8. the answer is: 9", "(?i:the answer is:?)", ("The ANSWER is 8. ", " 9")),
        ("정답: 8\n정답: 9\n끝", "정답:", ("정답: 8\n", " 9\n끝")),
        ("axx ayx", r"x\B", ("a", "x ayx")),
        ("8 or 9", "(8)|(9)", ("8 or ", "")),
    ],
)
def test_the_last_mark_parts_a_text(text, mark, found):
    assert around_last(text, mark) == found


@pytest.mark.parametrize(
    ("text", "mark", "pieces"),
    [
        ("a\n\n b \nc\n", r"\n+", ["a", "b", "c"]),
        ("Step 1: a Step 2: b", r"(Step \d+:)", ["a", "b"]),
        ("하나; 둘;;셋", ";", ["하나", "둘", "셋"]),
        (" \n ", r"\n+", []),
    ],
)
def test_marks_part_a_text_into_pieces(text, mark, pieces):
    assert between(text, mark) == pieces


@pytest.mark.parametrize("mark", BOMBS)
def test_no_mark_takes_long(mark):
    text = "a" * (LONGEST - 1) + "?"
    started = time.process_time()
    Cot(name="c", answer_mark=mark).parted(None, text)
    row = {"metadata": '{"step_labels": [true]}'}
    made = Stepwise(name="s", step_mark=mark).form([told("user: q")], [told(f"assistant: {text}")], row)
    assert made.reasons in ((), ("STEPS_MISMATCH",))
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("mark", "says"),
    [("(", "unclosed group"), ("(?=a)", "look-around"), (r"(a)\1", "backreferences"), ("a{1000}{1000}", "size limit")],
)
def test_a_mark_that_the_engine_cannot_take_is_refused(mark, says):
    with pytest.raises(ValueError, match=f"step_mark: the expression .* cannot be used: .*{says}"):
        fit(mark, "step_mark")
