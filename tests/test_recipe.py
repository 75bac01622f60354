"""Recipes: what is accepted, and for each fault a line that names the path, what was found, what is allowed, the nearest word."""

from importlib import resources

import pytest

from flywheel.errors import RecipeInvalid
from flywheel.home import sample_recipe
from flywheel.recipe import RESERVED, parse_recipe, read_recipe
from flywheel.signals import SIGNALS

SET = '[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'
SHORT = '[[filter]]\nuse = "too_short"\n'


def scaffold():
    return resources.files("flywheel").joinpath("scaffold", "recipe.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [scaffold(), sample_recipe()], ids=["scaffold", "sample"])
def test_shipped_recipes_are_valid_and_redact(text):
    recipe = parse_recipe(text)
    assert {s.use for s in recipe.sets} >= {"sft", "preference", "kto"}
    assert {e.use for e in recipe.edits} >= {"redact_email", "redact_phone", "redact_secret"}
    assert len(recipe.filters) >= 8


def test_a_name_is_enough():
    recipe = parse_recipe('name = "a"')
    assert (recipe.seed, recipe.sets, recipe.filters) == (0, (), ())
    assert [s.use for s in recipe.signals] == [use for use, cls in SIGNALS.items() if not cls.on_request]


def test_a_named_signal_takes_the_place_of_the_default():
    recipe = parse_recipe('name = "a"\n[[signal]]\nuse = "near_duplicate"\nthreshold = 0.7')
    assert [s.threshold for s in recipe.signals if s.use == "near_duplicate"] == [0.7]
    assert len(recipe.signals) == len(parse_recipe('name = "a"').signals)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('name = "a"\nseed = 1', 'seed=1\nname="a"   # a remark', True),
        ('name = "a"\nseed = 1', 'name = "a"\nseed = 2', False),
        (f'name = "a"\n{SHORT}', f'name = "a"\n{SHORT}min_words = 1', True),
        (f'name = "a"\n{SHORT}', f'name = "a"\n{SHORT}min_words = 2', False),
    ],
)
def test_the_digest_is_of_the_wish_not_of_the_text(one, other, same):
    assert (parse_recipe(one).digest == parse_recipe(other).digest) is same


FAULTS = [
    # at the top
    ("seed = 1", "name: is missing. Add it."),
    ('name = "Bad Name"', "name: found 'Bad Name'; expected lower-case letters"),
    ("name = 3", "name: found 3; expected text in quotes"),
    ('name = "a"\nseed = "x"', "seed: found 'x'; expected a whole number."),
    (
        'name = "a"\nfilters = 1',
        'filters: there is no "filters" here. Did you mean "filter"? Allowed: behaviour, build, check, curate,',
    ),
    # tables of settings
    ('name = "a"\nfeedback = 3', "feedback: found 3; expected a table."),
    (
        'name = "a"\n[feedback]\nlate_after_hour = 2',
        'Did you mean "late_after_hours"? Allowed: contradictions, infer, late_after_hours, orphan',
    ),
    (
        'name = "a"\n[feedback]\nlate_after_hours = 0',
        "feedback.late_after_hours: found 0; input should be greater than 0.",
    ),
    (
        'name = "a"\n[feedback]\ncontradictions = "exlude"',
        "found 'exlude'. Did you mean \"exclude\"? Allowed: exclude, majority, latest.",
    ),
    ('name = "a"\n[curate]\nkeep = "zzz"', "curate.keep: found 'zzz'. Allowed: best_feedback, newest, longest."),
    # operators
    (
        'name = "a"\n[[filter]]\nuse = "too_shrt"',
        'filter.0.use: there is no "too_shrt". Did you mean "too_short"? Expected one of ',
    ),
    ('name = "a"\n[[filter]]\nmin_words = 2', 'filter.0: has no "use". Expected use = one of '),
    (
        f'name = "a"\n{SHORT}min_word = 2',
        'filter.0.too_short.min_word: there is no "min_word" here. Did you mean "min_words"? Allowed: min_words, use.',
    ),
    (f'name = "a"\n{SHORT}min_words = "two"', "filter.0.too_short.min_words: found 'two'; expected a whole number."),
    (
        f'name = "a"\n{SHORT}min_words = 0',
        "filter.0.too_short.min_words: found 0; input should be greater than or equal to 1.",
    ),
    (f'name = "a"\n{SHORT}{SHORT}', 'filter: "too_short" is there 2 times; expected once.'),
    (
        'name = "a"\n[filter]\nuse = "too_short"',
        "filter: found {'use': 'too_short'}; expected tables, each under its own [[filter]]",
    ),
    (
        'name = "a"\nfilter = ["too_short"]',
        "filter.0: found 'too_short'; expected tables, each under its own [[filter]]",
    ),
    (
        'name = "a"\n[[edit]]\nuse = "redact_mail"',
        'edit.0.use: there is no "redact_mail". Did you mean "redact_email"?',
    ),
    (
        'name = "a"\n[[signal]]\nuse = "near_duplicate"\nthreshold = 2',
        "signal.0.near_duplicate.threshold: found 2; input should be less than or equal to 1.",
    ),
    # sets
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "sftt"',
        'set.0.use: there is no "sftt". Did you mean "sft"? Expected one of ',
    ),
    ('name = "a"\n[[set]]\nuse = "sft"\nexport = ["trl"]', "set.0.sft.name: is missing. Add it."),
    (
        'name = "a"\n[[set]]\nname = "My Set"\nuse = "sft"\nexport = ["trl"]',
        "set.0.sft.name: found 'My Set'; expected lower-case",
    ),
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "sft"',
        "set.0.s.export: names no format; expected at least one of ",
    ),
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "sft"\nexport = "trl"',
        "set.0.sft.export: found 'trl'; expected a list in square brackets.",
    ),
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["openia"]',
        'there is no format "openia". Did you mean "openai"?',
    ),
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "kto"\nexport = ["openai"]',
        'the format "openai" cannot hold a set of kind kto; expected one of ',
    ),
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl", "trl"]',
        'the format "trl" is there 2 times; expected once.',
    ),
    (f'name = "a"\n{SET}examples = 0', "set.0.sft.examples: found 0; input should be greater than or equal to 1."),
    (f'name = "a"\n{SET}{SET}', 'set: the name "s" is used 2 times; give each set its own.'),
    (
        f'name = "a"\n{SET}[[set]]\nname = "s_release"\nuse = "sft"\nexport = ["trl"]',
        'name: "s_release" is what the release of "s" is called',
    ),
    (f'name = "a"\n{SET}[set.mix.app]\nx = 0.5\ny = 0.4', "set.0.s.mix.app: the shares add up to 0.9; expected 1."),
    (
        f'name = "a"\n{SET}[set.mix.langage]\nx = 1.0',
        'set.0.s.mix: there is no axis "langage". Did you mean "language"? Axes: abandoned,',
    ),
    (f'name = "a"\n{SET}[set.mix.ratings]\nx = 1.0', 'there is no axis "ratings"'),
    (
        f'name = "a"\n{SET}[set.mix.language]\nen = -0.5',
        "set.0.sft.mix.language.en: found -0.5; input should be greater than 0.",
    ),
    (f'name = "a"\n{SET}[set.mix.language]\nen = nan', "set.0.sft.mix.language.en: found nan"),
    (f'name = "a"\n{SET}[set.mix]\nlanguage = 0.5', "set.0.sft.mix.language: found 0.5; expected a table."),
    (
        f'name = "a"\n{SET}[set.split]\nvalidation = 1.0',
        "set.0.sft.split.validation: found 1.0; input should be less than 1.",
    ),
    (
        f'name = "a"\n{SET}[set.split]\nby = ["users"]',
        "set.0.sft.split.by.0: found 'users'. Did you mean \"user\"? Allowed: conversation, user, duplicates, source.",
    ),
    (
        f'name = "a"\n{SET}[set.split]\ntest = 0.1',
        'set.0.sft.split.test: there is no "test" here. Allowed: by, validation.',
    ),
    (
        'name = "a"\n[[set]]\nname = "s"\nuse = "reward"\nexport = ["trl"]\nscale = [5, 1]',
        "set.0.reward: the scale runs from 5 to 1",
    ),
    # checks
    (
        f'name = "a"\n{SET}[set.check.mix_meets_targt]\nmax = 0.1',
        'set.0.s.check: there is no check "mix_meets_targt" here. Did you mean "mix_meets_target"?',
    ),
    (
        f'name = "a"\n{SET}[set.check.mix_meets_target]\nmaximum = 0.1',
        '"maximum" here. Did you mean "max"? Allowed: confidence, max, min, severity.',
    ),
    (
        f'name = "a"\n{SET}[set.check.mix_meets_target]\nseverity = "warning"',
        "found 'warning'. Did you mean \"warn\"? Allowed: error, warn, off.",
    ),
    (
        f'name = "a"\n{SET}[set.check.labels_are_balanced]\nmin = 0.1',
        'set.0.s.check: there is no check "labels_are_balanced" here.',
    ),
    (
        'name = "a"\n[check.conversation.ids_are_unique]\nmax = 1',
        'check: there is no asset "conversation". Did you mean "conversations"?',
    ),
    (
        'name = "a"\n[check.set.no_row_vanished]\nmax = 1',
        "check.set: bounds for it belong to each set; write [set.check.NAME]",
    ),
    (
        'name = "a"\n[check.conversations.ids_are_uniqe]\nmax = 1',
        'check.conversations: there is no check "ids_are_uniqe" here. Did you mean "ids_are_unique"?',
    ),
    ('name = "a"\n[check]\nids_are_unique = 1', "check.ids_are_unique: found 1; expected a table."),
    (
        'name = "a"\n[check.conversations.ids_are_unique]\nmax = nan',
        "check.conversations.ids_are_unique.max: found nan; input should be a finite number.",
    ),
    (
        'name = "a"\n[check.conversations.ids_are_unique]\nmax = 1\nmin = 2',
        "min 2 is above max 1; no number can be both.",
    ),
]


@pytest.mark.parametrize(("text", "said"), FAULTS, ids=range(len(FAULTS)))
def test_each_fault_is_named(text, said):
    with pytest.raises(RecipeInvalid) as e:
        parse_recipe(text, "R")
    assert said in str(e.value)
    assert str(e.value).startswith("R ")
    assert "pydantic" not in str(e.value)


@pytest.mark.parametrize("name", RESERVED)
def test_a_set_may_not_take_the_name_of_another_dataset(name):
    with pytest.raises(RecipeInvalid, match=f'name: "{name}" is the name of something else'):
        parse_recipe(f'name = "a"\n[[set]]\nname = "{name}"\nuse = "sft"\nexport = ["trl"]')


def test_every_fault_is_told_at_once():
    with pytest.raises(RecipeInvalid) as e:
        parse_recipe('name = "a"\nfoo = 1\n[[filter]]\nuse = "nope"\n[feedback]\nx = 1')
    assert str(e.value).startswith("recipe.toml has 3 faults:\n  ")
    assert len(str(e.value).splitlines()) == 4


def test_toml_that_cannot_be_read_is_named_with_its_line():
    with pytest.raises(RecipeInvalid, match=r"recipe\.toml is not valid TOML: .*line 2"):
        parse_recipe('name = "a"\nseed = = 1')


def test_files_that_cannot_be_read(tmp_path):
    file = tmp_path / "recipe.toml"
    with pytest.raises(RecipeInvalid, match=rf"cannot be read: No such file .*Run: flywheel init {tmp_path}"):
        read_recipe(file)
    file.write_bytes(b'name = "\xff"')
    with pytest.raises(RecipeInvalid, match=r"is not UTF-8 text \(byte 8\)"):
        read_recipe(file)
    file.write_bytes(b'\xef\xbb\xbfname = "a"')
    assert read_recipe(file).name == "a"


def test_a_bound_on_passages_needs_their_signal():
    wish = 'name = "a"\n[curate]\nmax_passage_share = 0.5\n'
    with pytest.raises(RecipeInvalid, match=r"needs the signal shared_passages. Add it: \[\[signal\]\]"):
        parse_recipe(wish)
    assert parse_recipe(wish + '[[signal]]\nuse = "shared_passages"\n').curate.max_passage_share == 0.5
