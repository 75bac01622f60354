import polars as pl

from flywheel.coverage.axes import counts, of_examples, released, value_of
from flywheel.coverage.wanted import Coverage

LOGGED = pl.LazyFrame({"id": ["s:1", "s:2", "s:3"], "language": ["ko", "en", None], "origin": ["logged"] * 3})


def test_an_example_has_the_values_of_its_conversation_and_its_own_author():
    examples = pl.DataFrame(
        {
            "id": ["s:1", "pair:1", "s:3"],
            "parents": [["s:1"], ["s:1", "s:2"], ["s:3"]],
            "origin": ["logged", "demonstrated", "synthesized"],
        }
    )
    values = LOGGED.with_columns(author=value_of("author", Coverage(), False))
    told = of_examples(examples, values, ("language", "author", "origin"))
    assert told.sort("id").rows() == [
        ("pair:1", "en", "human", "demonstrated"),
        ("s:1", "ko", "ai", "logged"),
        ("s:3", None, "ai", "synthesized"),
    ]
    assert counts(told, "language") == {"en": 1, "ko": 1}


def test_nothing_is_released_where_there_is_no_current(tmp_path):
    assert released(tmp_path).is_empty()
