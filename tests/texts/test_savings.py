import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.signals.tokens import count
from flywheel.texts.savings import tokens_saved

LONG = "The quick brown fox jumps over the lazy dog and runs away from it again. " * 40
PIECES = st.text(alphabet="ab Z9.\n'é가-", max_size=30)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("one", ""),
        ("", "one two"),
        ("a  b", "a b"),
        (f"{LONG}<b>bold</b> {LONG}", f"{LONG}bold {LONG}"),
        (f"{LONG}mail a@b.com{LONG}", f"{LONG}mail [EMAIL_01234567]{LONG}"),
        ("aaaa", "aaa"),
        ("한국어  문장", "한국어 문장"),
        ("word\n\n\n\nword", "word\n\nword"),
    ],
)
def test_it_is_the_difference_of_both_counts(before: str, after: str) -> None:
    assert tokens_saved(before, after) == count(before) - count(after)
    assert tokens_saved(after, before) == count(after) - count(before)


@given(PIECES, PIECES, PIECES, PIECES)
def test_whatever_was_changed(head: str, old: str, new: str, tail: str) -> None:
    words = " so it goes "
    before, after = head + words + old + words + tail, head + words + new + words + tail
    assert tokens_saved(before, after) == count(before) - count(after)
