"""What stands behind a release, over a small home that a build has made: told in the terminal and as PROV-JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from assets import launch
from flywheel.__main__ import run
from flywheel.audit.prov import of_release
from flywheel.audit.release import manifest_of, told
from flywheel.errors import SnapshotMissing
from flywheel.home import Home
from flywheel.stages.export import ancestry
from tests.homes import small_home

ENDS = {
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity": "activity"},
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity", "prov:activity": "activity"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent": "agent"},
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "hadMember": {"prov:collection": "entity", "prov:entity": "entity"},
}
"""Relation of PROV-JSON -> each end it must have, and what that is."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = small_home(tmp_path_factory.mktemp("released") / "home")
    assert launch.build(made)["success"]
    return made


def reached(document: dict[str, Any], start: str) -> set[str]:
    """Every entity that one derives from."""
    found, ahead = set(), [start]
    while ahead:
        here = ahead.pop()
        new = {d["prov:usedEntity"] for d in document["wasDerivedFrom"].values() if d["prov:generatedEntity"] == here}
        ahead += new - found
        found |= new
    return found


def test_row_117_the_prov_of_a_set_leads_from_its_files_to_the_raw_files(home: Home) -> None:
    candidate = home.store.head("answers")
    manifest = manifest_of(home, "answers")
    assert manifest is not None
    document = of_release(manifest)
    for relation, ends in ENDS.items():
        assert document[relation]
        for said in document[relation].values():
            assert {end for end, what in ends.items() if said.get(end) not in document[what]} == set(), relation
    release = f"flywheel:release/answers/{candidate.version[:12]}"
    behind = reached(document, release)
    assert {f"sha256:{f.digest}" for f in home.raw.files()} <= behind
    chain = [candidate, *ancestry(home.store, candidate)]
    assert {f"flywheel:snapshot/{s.name}/{s.version}" for s in chain} <= behind
    files = {m["prov:entity"] for m in document["hadMember"].values()}
    assert files == {f"sha256:{f['sha256']}" for f in manifest["files"].values()}
    steps = document["activity"][f"flywheel:stage/answers/{candidate.version}"]["flywheel:step"]
    assert [json.loads(s)["use"] for s in steps] == [s.use for s in candidate.derivation.steps]
    assert [a["flywheel:name"] for a in document["agent"].values() if a["prov:type"] == "model"] == ["m"]
    assert "first.jsonl" not in json.dumps(document)


def test_the_command_tells_it_and_writes_it(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = home.store.head("answers").version[:12]
    at = ["--home", str(home.path)]
    assert run(["why", f"answers@{version[:6]}", "--prov", str(tmp_path / "p.json"), "--json", *at]) == 0
    said = json.loads(capsys.readouterr().out)
    manifest = manifest_of(home, "answers@current")
    assert manifest is not None
    assert said == told(home, manifest)
    assert said["version"] == version
    assert {"name": "conversations", "inputs": ["raw_files"]}.items() <= next(
        s for s in said["stages"] if s["name"] == "conversations"
    ).items()
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8")) == of_release(manifest)
    assert run(["why", "answers", *at]) == 0
    assert "keep_best_duplicate@1" in capsys.readouterr().out


def test_what_is_no_release_is_told_apart(home: Home) -> None:
    assert manifest_of(home, "openai_chat:req_0") is None
    with pytest.raises(SnapshotMissing, match="no such version"):
        manifest_of(home, "answers@ffff")


def test_of_a_curriculum_its_sets_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "exports" / "course" / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(
        json.dumps({"curriculum": "course", "stages": [{"set": "easy"}, {"set": "hard"}]})
    )
    (folder.parent / "current").symlink_to(folder.name)
    with pytest.raises(SnapshotMissing, match=r"ask for one of them \(easy, hard\)"):
        manifest_of(Home(tmp_path), "course")
