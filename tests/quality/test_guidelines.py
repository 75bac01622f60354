"""What people and judges label by: named in the recipe, known by its bytes, told where it was used."""

import hashlib
import json

import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.quality.expectations import judge
from flywheel.quality.guidelines import KNOWN, SHOWN, Guideline, labelled_by, measured
from flywheel.recipe import parse_recipe, read_recipe
from flywheel.records import FEEDBACK
from flywheel.storage.snapshots import Store
from tests.homes import Ran, drop, small_home, thumb
from tests.pools import snapshot

SET = '[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'
TONE = Guideline(name="tone", version="2", text="Be brief.")


def recipe_of(*guidelines):
    return parse_recipe('name = "r"\n' + "".join(f"[[guideline]]\n{g}\n" for g in guidelines) + SET)


def heard(tmp_path, *metadata):
    rows = [{"feedback_id": f"f{n}", "metadata": None if m is None else json.dumps(m)} for n, m in enumerate(metadata)]
    frame = pl.DataFrame([{c: r.get(c) for c in FEEDBACK} for r in rows], schema=FEEDBACK)
    return snapshot(Store(tmp_path / "snapshots"), "feedback", {"rows": frame})


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ('name = "tone"\nversion = 2', "guideline.0: has no text, or two; expected either file or text"),
        ('name = "tone"\nversion = 2\nfile = "a.md"\ntext = "b"', "guideline.0: has no text, or two"),
        ('name = "tone"\nversion = 2\ntext = " "', "guideline.0: has no text, or two"),
        ('name = "tone@2"\nversion = 2\ntext = "b"', "guideline.0.name"),
        ('name = "tone"\ntext = "b"', "guideline.0.version: is missing"),
        ('name = "tone"\nversion = 2\ntext = "b"\nlicence = "mine"', 'licence: "mine" names mine, which is not in the SPDX list'),
        ('name = "tone"\nversion = 2\ntext = "b"\nlicense = "MIT"', 'there is no "license" here. Did you mean "licence"?'),
    ],
)  # fmt: skip
def test_a_guideline_is_a_name_a_version_and_one_text(lines, fault):
    with pytest.raises(RecipeInvalid) as refused:
        recipe_of(lines)
    assert fault in str(refused.value)


def test_versions_stand_side_by_side_and_each_is_there_once():
    two = recipe_of('name = "tone"\nversion = 1\ntext = "a"', 'name = "tone"\nversion = 2\ntext = "b"').guideline
    assert [g.called for g in two] == ["tone@1", "tone@2"]
    with pytest.raises(RecipeInvalid, match="guideline: tone@1 is there 2 times; give each text a version of its own"):
        recipe_of('name = "tone"\nversion = 1\ntext = "a"', 'name = "tone"\nversion = "1"\ntext = "b"')


def test_it_is_known_by_its_bytes_wherever_they_stand(tmp_path):
    (tmp_path / "tone.md").write_bytes(b"Be brief.")
    (tmp_path / "recipe.toml").write_text(
        'name = "r"\n[[guideline]]\nname = "tone"\nversion = 2\nfile = "tone.md"\nlicence = "CC-BY-4.0"\n' + SET
    )
    (read,) = read_recipe(tmp_path / "recipe.toml").guideline
    known = {"name": "tone", "version": "2", "sha256": hashlib.sha256(b"Be brief.").hexdigest()}
    assert read.told() == known | {"licence": "CC-BY-4.0"}
    assert TONE.told() == known
    (tmp_path / "tone.md").unlink()
    with pytest.raises(RecipeInvalid, match=r"the guideline tone@2 cannot be read: .*tone\.md: No such file"):
        read_recipe(tmp_path / "recipe.toml")


def test_events_of_guidelines_and_versions_that_the_recipe_lacks_are_counted(tmp_path):
    named = [{"guideline": "tone", "guideline_version": 2}, {"guideline": "tone@2"}]
    strange = [
        {"guideline": "tone"}, {"guideline": "tone", "guideline_version": 3}, {"guideline": "tone@3"}, {"guideline": "tone@2", "guideline_version": 2},
        {"guideline": {"a": 1}}, {"guideline": "facts@2"},
    ]  # fmt: skip
    none = [None, {}, {"guideline": None}, {"guideline_version": 2}, {"note": "a guideline"}]
    found = measured(heard(tmp_path, *named, *strange, *none), (TONE,))
    assert {s: (v, n) for _, s, v, n in found.iter_rows()} == {
        "": (6.0, 8), "tone": (1.0, 8), "tone@3": (2.0, 8), "tone@2@2": (1.0, 8), '{"a":1}': (1.0, 8), "facts@2": (1.0, 8),
    }  # fmt: skip
    (judged,) = judge([KNOWN], found)
    assert (judged.passed, judged.blocking) == (False, False)
    assert (
        "6 of 8 events made by a guideline, or a version of one, that the recipe does not have (tone@3: 2;"
        in judged.summary
    )
    assert measured(heard(tmp_path, *named), (TONE,)).select("value", "n").rows() == [(0.0, 2)]


def test_hostile_names_are_told_by_number_after_the_first_few(tmp_path):
    found = measured(heard(tmp_path, *[{"guideline": f"x{n:03}"} for n in range(100)]), (TONE,))
    assert (found.height, found.filter(segment="")["value"].item()) == (SHOWN + 1, 100.0)


def test_a_recipe_without_guidelines_reads_no_event(tmp_path):
    assert measured(None, ()).is_empty()
    assert labelled_by(None, None, ()) == []
    off = recipe_of().check["feedback"][KNOWN.name]
    assert (off.severity, off.missing) == ("off", "[[guideline]]")
    assert KNOWN.name not in recipe_of('name = "t"\nversion = 1\ntext = "a"').check.get("feedback", {})


def test_what_is_behind_the_examples_counts_and_nothing_else(tmp_path):
    events = heard(
        tmp_path, {"guideline": "tone@2"}, {"guideline": "tone@2"}, {"guideline": "tone@1"}, {"guideline": "tone@2"}
    )
    examples = pl.DataFrame({"id": ["a", "b", "c"], "feedback": [["f0", "f1"], ["f1", "f2"], []]})
    assert labelled_by(examples, events, (TONE,)) == [TONE.told() | {"events": 2, "examples": 2}]
    assert labelled_by(examples, events, (Guideline(name="other", version="1", text="a"),)) == []


HOME = """
name = "guided"
[[guideline]]
name = "tone"
version = 2
file = "tone.md"
licence = "CC-BY-4.0"
[[set]]
name = "verdicts"
use = "kto"
export = ["trl"]
[[set]]
name = "answers"
use = "sft"
export = ["trl"]
"""


@pytest.mark.slow
def test_row_117_the_text_that_was_labelled_by_is_told_in_release_check_and_trace(tmp_path, capsys):
    from flywheel.__main__ import run

    home = small_home(tmp_path / "home", HOME)
    (home.path / "tone.md").write_text("Be brief.")
    by = [{"guideline": "tone", "guideline_version": 2}, {"guideline": "tone@1"}]
    drop(
        home,
        "feedback/experts.jsonl",
        *[thumb(n, up=True) | {"actor_kind": "expert"} | told for n, told in zip((1, 3), by, strict=True)],
    )
    ran = Ran(home)
    assert ran.success
    found = ran.checks["feedback", "guidelines_are_known"]
    assert (found.passed, found.severity.value) == (False, "WARN")
    assert (
        "1 of 2 events made by a guideline, or a version of one, that the recipe does not have (tone@1: 1)"
        in found.description
    )

    def told():
        manifest = json.loads((home.exports / "verdicts" / "current" / "manifest.json").read_bytes())
        (step,) = [s for s in manifest["derivation"][0]["steps"] if s["use"] == "guideline"]
        return manifest["notes"]["guidelines"], step["parameters"], manifest["version"]

    first, known = hashlib.sha256(b"Be brief.").hexdigest(), {"name": "tone", "version": "2", "licence": "CC-BY-4.0"}
    assert told()[:2] == ([known | {"sha256": first, "events": 1, "examples": 1}], known | {"sha256": first})
    card = (home.exports / "verdicts" / "current" / "README.md").read_text()
    assert f"| tone | 2 | {first} | CC-BY-4.0 | 1 | 1 |" in card
    plain = json.loads((home.exports / "answers" / "current" / "manifest.json").read_bytes())
    assert "guidelines" not in plain["notes"]

    # The same words under another text are another way to make the same rows: the release says so, its version stays.
    version = told()[2]
    (home.path / "tone.md").write_text("Be brief, and kind.")
    assert Ran(home).success
    second = hashlib.sha256(b"Be brief, and kind.").hexdigest()
    assert told() == ([known | {"sha256": second, "events": 1, "examples": 1}], known | {"sha256": second}, version)
    capsys.readouterr()
    for wanted in ("tone", "tone@2"):
        assert run(["trace", "--guideline", wanted, "--json", "--home", str(home.path)]) == 0
        uses = json.loads(capsys.readouterr().out)["uses"]
        assert {(u["dataset"], u["head"], json.loads(u["parameters"])["sha256"]) for u in uses} == {
            ("verdicts", False, first), ("verdicts", True, second),
        }  # fmt: skip
    assert run(["trace", "--guideline", "tone@1", "--json", "--home", str(home.path)]) == 0
    assert json.loads(capsys.readouterr().out)["uses"] == []
    assert run(["trace", "--guideline", "tone", "--home", str(home.path)]) == 0
    assert second in capsys.readouterr().out.replace("\n", "")
