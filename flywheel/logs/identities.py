"""Who is who: ids of one person, which logs know as several users, and the pseudonyms that stand for them."""

import csv
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from flywheel.choices.split import components
from flywheel.errors import RecipeInvalid

NOBODY = ("", "null", "none", "nil", "undefined", "unknown", "anonymous", "n/a", "0")
"""Accounts that are none: those who share them are not one person."""


def pseudonym(name: str, secret: bytes) -> str:
    """What stands for a user or an actor: the same in calls and in feedback; without the home's key nobody can check a guess."""
    return "u_" + hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()[:16]


def read_identities(path: Path) -> list[tuple[str, ...]]:
    """The ids of one person on each line, parted by commas; empty lines and lines that begin with # are left out.

    Raises `RecipeInvalid` when the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as e:
        raise RecipeInvalid(
            f"the identities {path} cannot be read: {e.strerror}. Name a file in the recipe's folder: one person a line, ids parted by commas."
        ) from None
    except UnicodeDecodeError as e:
        raise RecipeInvalid(f"the identities {path} are not UTF-8 text (byte {e.start}). Save them as UTF-8.") from None
    people = (tuple(name.strip() for name in row) for row in csv.reader(x for x in lines if not x.startswith("#")))
    return [person for names in people if (person := tuple(n for n in names if n))]


def sealed(people: Iterable[Sequence[str]], secret: bytes) -> tuple[tuple[str, ...], ...]:
    """The same people under the pseudonyms that rows have, in an order that tells nothing."""
    return tuple(sorted({tuple(sorted({pseudonym(name, secret) for name in names})) for names in people}))


def persons(seen: pl.DataFrame, same: Sequence[Sequence[str]]) -> pl.DataFrame:
    """`user`, `account`, `person` of each distinct pair in `seen` (user, account): whoever shares a user, an account or a
    line of `same` is one person, named by the smallest of their users; by their account where none is known."""
    pairs = seen.unique().sort("user", "account")
    listed = [(names[0], other) for names in same for other in names]
    told = pl.DataFrame(listed, schema={"a": pl.String, "b": pl.String}, orient="row")
    met = pairs.drop_nulls().select(a="user", b=pl.format("~{}", "account"))
    edges = pl.concat([told, met])
    alone = [pairs["user"].drop_nulls(), ("~" + pairs["account"]).drop_nulls()]
    names = pl.concat([edges["a"], edges["b"], *[s.rename("a") for s in alone]]).unique().sort()  # "~" sorts after "u_"
    place = pl.DataFrame({"name": names}).with_row_index("at")
    ends = [
        edges.select(name=c).join(place, on="name", how="left", maintain_order="left")["at"].to_numpy() for c in "ab"
    ]
    first = components(len(names), ends[0].astype(np.int64), ends[1].astype(np.int64))
    people = place.with_columns(person=names.gather(first).str.replace(r"^~", "p_"))
    key = pl.coalesce("user", pl.format("~{}", "account"))
    found = pairs.with_columns(name=key).join(people.drop("at"), on="name", how="left")
    return found.select("user", "account", "person")
