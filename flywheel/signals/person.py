"""Which users are one person."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.lineage import Step
from flywheel.logs.identities import NOBODY, persons, read_identities, sealed
from flywheel.records import canonical, short_hash
from flywheel.texts.passages import hashed


class Person(Signal, frozen=True):
    """Join users that are known to be one person: by a list, by a file, or by an account that the application logs.

    `person` is the smallest pseudonym of them, the user's own for everybody else; where only an account is known, a hash of
    it; null where nothing is. A split by user keeps a person on one side. Names stand in the recipe as the logs have them;
    what is stored, in lineage too, are their pseudonyms.
    """

    use: Literal["person"] = "person"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    on_request: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset({"person"})
    decided_later: ClassVar[frozenset[str]] = frozenset({"same", "file"})
    gives: ClassVar[Mapping[str, Any]] = {"person": pl.String}
    same: tuple[tuple[str, ...], ...] = ()
    """Users of one person, person by person."""
    file: str | None = None
    """Further persons, one a line, their users parted by commas; a path from the recipe's folder."""
    metadata: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_ -]+(\.[A-Za-z0-9_ -]+)*$")
    """A key of the log line, dotted where it lies deeper, that is the same in all calls of one person."""

    def sealed(self, folder: Path, secret: bytes) -> "Person":
        """The same signal with the pseudonyms of everybody named, here and in the file. Raises `RecipeInvalid`."""
        listed = [*self.same, *(read_identities(folder / self.file) if self.file else [])]
        return self.model_copy(update={"same": sealed(listed, secret), "file": None})

    def step(self) -> Step:
        # Who is who is nobody's business: lineage needs only to know whether it changed.
        known = [short_hash(canonical(self.same))] if self.same else []
        return Step(
            use=self.use, version=self.version, parameters={"same": known, "file": None, "metadata": self.metadata}
        )

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        if self.metadata is None:
            return rows.select("id", "user", account=pl.lit(None, dtype=pl.String))
        path = "$" + "".join(f"['{key}']" for key in self.metadata.split("."))
        has_key = pl.col("metadata").str.contains(self.metadata.split(".")[-1], literal=True)
        named = pl.when(has_key).then(pl.col("metadata")).str.json_path_match(path).str.strip_chars()
        known = rows.select(
            "id", "user", account=pl.when(~named.str.to_lowercase().is_in(NOBODY)).then(named)
        ).collect()
        codes = pl.DataFrame({"account": known["account"].drop_nulls().unique()})
        codes = codes.with_columns(code=pl.format("{}", hashed(codes["account"])))
        told = known.join(codes, on="account", how="left", maintain_order="left")
        return told.lazy().select("id", "user", account="code")

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        seen = sketches.select("id", "user", "account").collect()
        found = persons(seen.select("user", "account"), self.same)
        return seen.join(found, on=["user", "account"], how="left", nulls_equal=True).lazy().select("id", "person")
