"""Ids of one person come together, however the links between them run."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import RecipeInvalid
from flywheel.logs.identities import persons, pseudonym, read_identities, sealed

SECRET = b"k" * 32
SEEN = {"user": pl.String, "account": pl.String}


def who(seen: list[tuple[str | None, str | None]], *same: tuple[str, ...]) -> dict[tuple[str | None, str | None], str]:
    found = persons(pl.DataFrame(seen, schema=SEEN, orient="row"), same)
    return {(user, account): person for user, account, person in found.rows()}


def test_row_148_two_ids_are_one_person() -> None:
    assert who([("u_a", None), ("u_b", None), ("u_c", None)], ("u_b", "u_a")) == {
        ("u_a", None): "u_a",
        ("u_b", None): "u_a",
        ("u_c", None): "u_c",
    }


def test_row_148_links_run_over_lists_and_accounts() -> None:
    """u_a and u_b share an account, a list joins u_b and u_d, and u_d is listed with somebody who made no call."""
    seen = [("u_a", "1"), ("u_b", "1"), ("u_d", None), (None, "1"), (None, "2"), (None, None)]
    found = who(seen, ("u_d", "u_b"), ("u_0", "u_d"))
    assert {found[pair] for pair in seen[:4]} == {"u_0"}
    assert found[None, "2"] == "p_2"
    assert found[None, None] is None


def test_nobody_is_nobody() -> None:
    assert who([]) == {}


@given(st.lists(st.tuples(st.sampled_from(["u_a", "u_b", "u_c", None]), st.sampled_from(["1", "2", None])), max_size=8))
def test_law_the_order_of_rows_and_lists_changes_nothing(seen: list[tuple[str | None, str | None]]) -> None:
    same = [("u_a", "u_c"), ("u_d", "u_b")]
    found = who(seen, *same)
    assert found == who(seen[::-1], *[names[::-1] for names in same[::-1]])
    for pair, person in found.items():
        for other, of_other in found.items():
            if pair[0] is not None and pair[0] == other[0]:
                assert person == of_other


def test_names_become_the_pseudonyms_that_rows_have() -> None:
    (people,) = sealed([("alice", "alice@corp", "alice")], SECRET)
    assert people == tuple(sorted([pseudonym("alice", SECRET), pseudonym("alice@corp", SECRET)]))
    assert sealed([("a", "b"), ("c", "d")], SECRET) == sealed([("d", "c"), ("b", "a"), ("a", "b")], SECRET)


def test_a_file_of_identities(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text('\ufeff# who is who\nu_alice, alice@corp\n\n"Bob, Jr.",bob,\n')
    assert read_identities(file) == [("u_alice", "alice@corp"), ("Bob, Jr.", "bob")]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"cannot be read: No such file or directory\. Name a file"):
        read_identities(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(b"a,\xff")
    with pytest.raises(RecipeInvalid, match=r"not UTF-8 text \(byte 2\)"):
        read_identities(tmp_path / "bad.csv")
