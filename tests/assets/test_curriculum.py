"""Curricula on a home: ordered stages with manifests, phases that hold their least, orders that are refused."""

import json
from pathlib import Path

import orjson
import polars as pl
import pytest

from flywheel.__main__ import run
from flywheel.home import Home
from flywheel.storage.catalog import Catalog
from tests.homes import Ran, call, drop

pytestmark = pytest.mark.slow

SET = """
[[set]]
name = "{name}"
use = "sft"
export = ["openai"]
[set.mix.app]
{app} = 1.0
"""
REVIEWS = (
    'name = "staged"\n'
    + SET.format(name="tweets", app="tweets")
    + SET.format(name="product_reviews", app="reviews")
    + """
[[curriculum]]
name = "reviews_last"
[curriculum.target.app]
reviews = 1.0
[[curriculum.stage]]
set = "{first}"
[[curriculum.stage]]
set = "{second}"
"""
)


def staged_home(path: Path, recipe: str, apps: list[str]) -> Home:
    home = Home.create(path, recipe=recipe)
    drop(home, "logs/first.jsonl", *[call(n, app=app) for n, app in enumerate(apps)])
    return home


def test_row_16_stages_are_exported_in_order_and_the_swapped_order_is_an_error(tmp_path: Path) -> None:
    right = REVIEWS.replace("{first}", "tweets").replace("{second}", "product_reviews")
    home = staged_home(tmp_path / "home", right, ["tweets", "reviews"] * 12)
    ran = Ran(home)
    assert ran.success
    folder = home.exports / "reviews_last" / "current"
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    assert [(s["stage"], s["set"], s["rows"]) for s in manifest["stages"]] == [
        ("stage_1", "tweets", 12), ("stage_2", "product_reviews", 12),
    ]  # fmt: skip
    assert [s["related"]["target"] for s in manifest["stages"]] == [0.0, 1.0]
    for n, name in ((1, "tweets"), (2, "product_reviews")):
        own = orjson.loads((folder / f"stage_{n}" / "manifest.json").read_bytes())
        lines = (folder / f"stage_{n}" / "train.jsonl").read_text().splitlines()
        assert own["set"] == f"reviews_last_stage_{n}"
        assert own["lines"]["train.jsonl"] == manifest["lines"][f"stage_{n}/train.jsonl"]
        assert set(own["lines"]["train.jsonl"]) <= set(home.store.head(name).scan().collect()["id"])
        assert len(lines) == len(own["lines"]["train.jsonl"]) > 0
    assert "| stage_2 | product_reviews | sft | 12 |" in (folder / "README.md").read_text()
    assert ran.checks["reviews_last_release", "export_is_whole"].passed
    first = manifest["lines"]["stage_2/train.jsonl"][0]
    with Catalog.open(home) as catalog:
        assert {"product_reviews", "reviews_last"} <= {s["set"] for s in catalog.why(first)["sets"]}
    before = (folder / "manifest.json").read_bytes()

    home.recipe_file.write_text(REVIEWS.replace("{first}", "product_reviews").replace("{second}", "tweets"))
    swapped = Ran(home)
    assert not swapped.success
    check = swapped.checks["reviews_last", "last_stage_is_most_related"]
    assert not check.passed
    assert "A stage is 1 more related to the target than the last of 2 stages" in (check.description or "")
    assert "Put the stage that is most related last." in (check.description or "")
    assert "reviews_last_release" not in swapped.released
    assert {"tweets_release", "product_reviews_release"} <= swapped.released
    assert (home.exports / "reviews_last" / "current" / "manifest.json").read_bytes() == before


def test_row_16_an_order_that_nothing_tells_is_refused(tmp_path: Path) -> None:
    said = REVIEWS.replace("[curriculum.target.app]\nreviews = 1.0\n", "")
    home = staged_home(
        tmp_path / "home",
        said.replace("{first}", "tweets").replace("{second}", "product_reviews"),
        ["tweets", "reviews"] * 6,
    )
    ran = Ran(home)
    check = ran.checks["reviews_last", "order_is_told"]
    assert not check.passed
    assert "with nothing that says which comes first" in (check.description or "")
    assert ran.checks["reviews_last", "last_stage_is_most_related"].metadata["judged"].value.startswith("no: ")


ANNEALING = """
name = "annealing"
[[set]]
name = "all_of_it"
use = "sft"
export = ["openai"]
[[curriculum]]
name = "annealed"
[[curriculum.stage]]
set = "all_of_it"
[[curriculum.stage]]
set = "all_of_it"
examples = 10
[curriculum.stage.mix.app]
math = 0.3
code = 0.2
chat = 0.5
[[curriculum.stage.least]]
axis = "app"
values = ["math", "code"]
share = 0.4
"""


def test_row_39_the_second_phase_holds_its_share_of_mathematics_and_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = staged_home(tmp_path / "home", ANNEALING, ["chat", "chat", "chat", "math", "chat", "code"] * 6)
    ran = Ran(home)
    assert ran.success
    manifest = orjson.loads((home.exports / "annealed" / "current" / "manifest.json").read_bytes())
    one, two = manifest["stages"]
    assert (one["rows"], two["rows"]) == (26, 10)
    assert two["mix"]["app"] == {"chat": 0.5, "code": 0.2, "math": 0.3}
    assert two["least"] == [{"axis": "app", "values": ["math", "code"], "share": 0.4, "actual": 0.5}]
    ids = {
        n: {i for name, i_ in manifest["lines"].items() if name.startswith(f"stage_{n}/") for i in i_} for n in (1, 2)
    }
    assert not ids[1] & ids[2]
    made = home.store.head("annealed")
    reasons = made.scan("rejected").select(pl.col("reasons").explode()).collect()["reasons"].value_counts()
    assert dict(reasons.iter_rows()) == {"in_a_later_stage": 10, "beyond_the_mix": 26}
    assert run(["build", "--home", str(home.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["curricula"]
    assert [(c["name"], c["released"], c["rows"]) for c in told] == [("annealed", True, 36)]

    # Too little of it: the phase is short, and says so.
    home.recipe_file.write_text(ANNEALING.replace("examples = 10", "examples = 30"))
    short = Ran(home)
    assert not short.checks["annealed", "every_stage_is_filled"].passed
    assert "annealed_release" not in short.released
    assert "all_of_it_release" in short.released


def test_a_curriculum_of_a_set_that_fails_waits_and_the_other_sets_go_on(tmp_path: Path) -> None:
    recipe = REVIEWS.replace("{first}", "tweets").replace("{second}", "product_reviews")
    home = staged_home(
        tmp_path / "home",
        recipe.replace('name = "tweets"\nuse = "sft"', 'name = "tweets"\nuse = "sft"\nexamples = 99'),
        ["tweets", "reviews"] * 6,
    )
    ran = Ran(home)
    assert ran.released == {"product_reviews_release"}
