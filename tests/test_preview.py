from flywheel.filters.matches import Matches
from flywheel.filters.too_short import TooShort
from flywheel.preview import Preview, preview
from tests.build import chat, rows

ROWS = rows(
    *[chat("user: hi", f"assistant: {'Sorry!' if n % 3 == 0 else 'Hello there'}", id=f"s:{n:02}") for n in range(20)]
).lazy()


def test_a_rule_previews_its_hits():
    rule = Matches(name="sorry", column="reply", operator="contains", value="sorry")
    assert preview(ROWS, rule, limit=3) == Preview("sorry", 7, 20, ("s:00", "s:03", "s:06"))


def test_any_filter_can_be_previewed():
    assert preview(ROWS, TooShort(min_words=2)).count == 7
    assert preview(ROWS, TooShort(min_words=1)) == Preview("too_short", 0, 20, ())
    assert preview(ROWS.head(0), TooShort()) == Preview("too_short", 0, 0, ())


def test_not_knowing_is_no_hit():
    rule = Matches(name="slow", column="latency_ms", operator="above", value=1)
    assert preview(ROWS, rule).count == 0
