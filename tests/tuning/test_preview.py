import pytest

from flywheel.errors import RecipeInvalid
from flywheel.filters.matches import Matches
from flywheel.filters.too_short import TooShort
from flywheel.recipe import parse_recipe
from flywheel.tuning.preview import Preview, named, parse_filter, preview, save
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


RULE = 'use = "matches"\ncolumn = "reply"\noperator = "contains"\nvalue = "sorry"'


def test_a_filter_may_read_what_is_not_measured_yet():
    assert preview(ROWS, parse_filter('use = "shouting"\nmin_letters = 3')).count == 0
    texture = 'use = "matches"\nname = "short_lines"\ncolumn = "longest_line"\noperator = "below"\nvalue = 8'
    assert preview(ROWS, parse_filter(texture)).count == 7


def test_a_rule_is_saved_under_its_name(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "r"  # mine\n\n[check.labels]\nfeedback_is_fresh = { max = 24 }')
    found = preview(ROWS, parse_filter(named(RULE, "sorry")))
    save(recipe, named(RULE, "sorry"), found)
    assert recipe.read_text().startswith('name = "r"  # mine\n')
    assert "# 7 of 20 rows when it was saved" in recipe.read_text()
    kept = parse_recipe(recipe.read_text())
    assert [f.reason for f in kept.filters] == ["sorry"]
    assert kept.check["labels"]["feedback_is_fresh"].max == 24
    before = recipe.read_bytes()
    with pytest.raises(RecipeInvalid, match='"sorry" is there 2 times'):
        save(recipe, named(RULE, "sorry"), found)
    assert recipe.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (RULE + '\nname = "other"', "sorry", 'goes by "other" and not by "sorry"'),
        ('use = "too_short"', "brief", "Save it as too_short"),
        (RULE, "No Good", "lower-case letters"),
        (RULE, 'x"\n[[set]]', "lower-case letters"),
        ('name = "sorry"\n' + RULE + '\n[[filter]]\nuse = "echo"', "sorry", "more than the lines of one"),
        (RULE + '\nname = "sorry"\n[curate]\nkeep = "newest"', "sorry", "more than the lines of one"),
        ("use = ", "sorry", "not valid TOML"),
    ],
)
def test_what_cannot_be_saved(text, name, says):
    with pytest.raises(RecipeInvalid, match=says):
        named(text, name)


def test_a_filter_without_a_name_is_saved_as_itself():
    assert parse_filter(named('use = "too_short"\nmin_words = 3', "too_short")) == TooShort(min_words=3)
