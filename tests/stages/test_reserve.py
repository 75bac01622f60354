"""Pilots on a home: stratified, frozen at the first release, and evaluated on what no set trains on."""

import json
from pathlib import Path

import orjson
import polars as pl
import pytest

from flywheel.errors import SnapshotDamaged
from flywheel.home import Home
from flywheel.stages.reserve import KEPT_OUT, RESERVED, evaluation_kept_out
from flywheel.storage.catalog import Catalog
from flywheel.storage.frozen import frozen
from flywheel.storage.snapshots import Store
from tests.homes import Ran, call, drop
from tests.pools import snapshot

pytestmark = pytest.mark.slow

RECIPE = """
name = "piloted"
[[set]]
name = "first_fifty"
use = "sft"
examples = 50
export = ["openai"]
[set.pilot]
by = ["app"]
evaluation = 20
[[set]]
name = "all_the_rest"
use = "sft"
export = ["openai"]
"""


def lines(first: int, last: int) -> list[dict[str, object]]:
    apps = ["billing"] * 8 + ["login"] * 2
    return [call(n, app="rare" if n == 3 else apps[n % 10]) for n in range(first, last)]


def test_row_43_a_pilot_is_stratified_frozen_and_its_twin_is_never_trained_on(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE)
    drop(home, "logs/first.jsonl", *lines(0, 120))
    # One user of the twin may come again: their later calls must stay out, too.
    ran = Ran(home)
    assert ran.released == {"first_fifty_release", "all_the_rest_release"}
    made, rest = home.store.head("first_fifty").scan().collect(), home.store.head("all_the_rest").scan().collect()
    pilot, twin = (made.filter(split=s) for s in ("train", "validation"))
    assert (pilot.height, twin.height) == (50, 20)
    reserved = home.store.head("reserved")
    strata = reserved.scan().filter(side="pilot").collect()["stratum"].value_counts()
    assert dict(strata.iter_rows()) == {"app=billing": 39, "app=login": 10, "app=rare": 1}
    assert not set(twin["id"]) & set(rest["id"])
    assert set(pilot["id"]) <= set(rest["id"])
    no = home.store.head("all_the_rest").scan("rejected").collect()
    assert set(no.filter(pl.col("reasons").list.contains("kept_for_evaluation"))["id"]) == set(twin["id"])
    for name in ("first_fifty", "all_the_rest"):
        assert ran.checks[name, "evaluation_is_kept_out"].passed
    assert ran.checks["reserved", "every_stratum_is_in_the_pilot"].passed
    unread = ran.checks["reserved", "a_person_has_read_the_pilot"]
    assert not unread.passed
    assert "50 of 50 rows of a pilot on which no expert has said anything" in (unread.description or "")
    told = orjson.loads((home.path / "frozen" / "first_fifty.json").read_bytes())
    assert (told["seed"], told["by"], told["pilot"]) == (0, ["app"], sorted(pilot["id"]))
    with Catalog.open(home) as catalog:
        (row,) = catalog.rows("SELECT count(*) AS n FROM reserved WHERE side = 'evaluation'")
    assert row["n"] == 20

    # More logs, another seed, a verdict of an expert: the rows stay, and users of the twin stay out.
    user = twin["id"][0].removeprefix("openai_chat:req_")
    more = [*lines(120, 200), call(500, user_id=f"u{user}", app="billing")]
    drop(home, "logs/second.jsonl", *more)
    said = {
        "event_id": "e1",
        "type": "rating",
        "request_id": pilot["id"][0].split(":")[1],
        "actor_kind": "expert",
        "value": 5,
    }
    when = {"created_at": "2026-03-20T12:00:00Z", "received_at": "2026-03-20T12:00:00Z", "user_id": "boss"}
    drop(home, "feedback/second.jsonl", said | when)
    home.recipe_file.write_text(RECIPE.replace('name = "piloted"', 'name = "piloted"\nseed = 7'))
    again = Ran(home)
    assert again.success
    after = home.store.head("first_fifty").scan().collect()
    assert after.select("id", "split").equals(made.select("id", "split"))
    grown = home.store.head("all_the_rest").scan().collect()
    assert grown.height > rest.height
    assert not set(grown["id"]) & ({*twin["id"], "openai_chat:req_500"})
    assert "49 of 50 rows" in (again.checks["reserved", "a_person_has_read_the_pilot"].description or "")
    assert again.checks["reserved", "frozen_rows_are_there"].passed


def test_a_damaged_file_of_frozen_rows_stops_rather_than_draws_anew(tmp_path: Path) -> None:
    (tmp_path / "frozen").mkdir()
    (tmp_path / "frozen" / "a.json").write_text(json.dumps({"pilot": []}))
    with pytest.raises(SnapshotDamaged, match=r"is damaged. Restore it from a backup"):
        frozen(tmp_path, ["a"])
    assert frozen(tmp_path, ["b"]) == {}


def test_row_43_training_on_what_is_kept_for_evaluation_is_counted(tmp_path: Path) -> None:
    store = Store(tmp_path / "snapshots")
    rows = pl.DataFrame(
        {"id": ["a", "b>c", "d"], "split": ["train", "train", "validation"], "parents": [["a"], ["b", "x"], ["x"]]}
    )
    candidate = snapshot(store, "s", {"rows": rows})
    kept = pl.DataFrame({"id": ["x", "y"], "set": ["p", "p"]}, schema=KEPT_OUT)
    reserved = snapshot(store, "reserved", {"rows": RESERVED.to_frame(), "kept_out": kept})
    assert evaluation_kept_out(candidate, reserved).rows() == [("evaluation_rows", "", 1.0, 3)]
    assert evaluation_kept_out(candidate, None).rows() == [("evaluation_rows", "", 0.0, 3)]
