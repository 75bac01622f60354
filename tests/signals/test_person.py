"""Users who are one person."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.recipe import parse_recipe
from flywheel.signals.person import Person
from tests.build import chat, rows

SECRET = b"k" * 32
ALICE, CORP, BOB = (pseudonym(name, SECRET) for name in ("u_alice", "alice@corp", "bob"))
FIRST = min(ALICE, CORP)


def told(signal: Person, *given: tuple[str | None, str | None]) -> list[str | None]:
    """The person of each row of (user, metadata)."""
    frame = rows(*[chat("user: a", "assistant: b", id=f"s:{i}", user=u, metadata=m) for i, (u, m) in enumerate(given)])
    found = signal.relate(signal.sketch(frame.lazy())).collect().sort("id")
    return found["person"].to_list()


def test_row_148_two_ids_of_the_recipe_are_one_person() -> None:
    signal = Person(same=(("u_alice", "alice@corp"),)).sealed(Path(), SECRET)
    assert told(signal, (ALICE, None), (CORP, None), (BOB, None), (None, None)) == [FIRST, FIRST, BOB, None]
    assert told(Person(), (ALICE, None), (CORP, None)) == [ALICE, CORP]


def test_row_148_two_ids_of_a_file_are_one_person(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("u_alice,alice@corp\n")
    signal = Person(file="people.csv").sealed(tmp_path, SECRET)
    assert told(signal, (ALICE, None), (CORP, None), (BOB, None)) == [FIRST, FIRST, BOB]


@pytest.mark.parametrize(
    ("path", "first", "second", "one"),
    [
        ("account_id", '{"account_id":"7"}', '{"account_id":7}', True),
        ("account_id", '{"account_id":"7"}', '{"account_id":"8"}', False),
        ("account.id", '{"account":{"id":"7"}}', '{"x":1,"account":{"id":" 7 "}}', True),
        ("account.id", '{"account":{"id":"7"}}', '{"id":"7"}', False),
        ("account-id", '{"account-id":"7"}', '{"account-id":"7"}', True),
        ("account_id", '{"account_id":"Anonymous"}', '{"account_id":"Anonymous"}', False),
        ("account_id", '{"account_id":null}', '{"account_id":null}', False),
        ("account_id", '{"account_id":""}', '{"account_id":""}', False),
        ("account_id", None, None, False),
    ],
)
def test_row_148_an_account_that_both_ids_log(path: str, first: str, second: str, one: bool) -> None:
    found = told(Person(metadata=path), (ALICE, first), (CORP, second), (None, None))
    assert found == ([FIRST, FIRST, None] if one else [ALICE, CORP, None])


def test_who_is_known_by_an_account_only_has_a_name_too() -> None:
    one, two, three = told(Person(metadata="a"), (None, '{"a":"x"}'), (None, '{"a":"x"}'), (None, '{"a":"y"}'))
    assert one == two != three
    assert one is not None
    assert one.startswith("p_")
    assert "x" not in one


def test_names_are_told_to_nobody(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "h", 'name = "r"\n[[signal]]\nuse = "person"\nsame = [["u_alice", "alice@corp"]]\n')
    recipe = home.recipe()
    steps = [s.step().model_dump_json() for s in recipe.signals]
    assert "alice" not in str(steps) + str(recipe.model_dump())
    assert (
        recipe.signal[0].model_dump()["same"]
        == Person(same=(("alice@corp", "u_alice"),)).sealed(Path(), home.secret).same
    )


def test_a_changed_list_measures_nothing_again_and_is_another_relation() -> None:
    one, two = (Person(same=(names,)).sealed(Path(), SECRET) for names in (("a", "b"), ("a", "c")))
    assert one.sketch_step() == two.sketch_step()
    assert one.step() != two.step()
    assert Person(metadata="a").sketch_step() != Person().sketch_step()


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match="metadata"):
        parse_recipe('name = "r"\n[[signal]]\nuse = "person"\nmetadata = "a\'] or $"')
    home = Home.create(tmp_path / "h", 'name = "r"\n[[signal]]\nuse = "person"\nfile = "none.csv"\n')
    with pytest.raises(RecipeInvalid, match=r"none\.csv cannot be read"):
        home.recipe()


def test_a_chain_of_ten_thousand_is_one_person() -> None:
    names = [f"u_{i:05}" for i in range(10_000)]
    seen = pl.LazyFrame(
        {"id": names, "user": names, "account": [None] * 10_000}, schema_overrides={"account": pl.String}
    )
    found = Person(same=tuple(pairwise(names))).relate(seen).collect()
    assert found["person"].unique().to_list() == ["u_00000"]
