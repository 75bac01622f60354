"""PROV-JSON of single rows, over the small home of test_catalog."""

import json

from flywheel.__main__ import run
from flywheel.audit.prov import of_row
from flywheel.storage.catalog import Catalog
from tests.storage.test_catalog import home

__all__ = ["home"]


def test_row_117_every_relation_speaks_of_what_is_there(home):
    with Catalog.open(home) as catalog:
        told = of_row(catalog.why("r1"))
    assert [e["prov:type"] for e in told["entity"].values()].count("raw line") == 2
    there = {*told["entity"], *told["activity"], *told["agent"]}
    for relation in ("wasDerivedFrom", "wasAttributedTo", "wasGeneratedBy"):
        assert told[relation]
        assert {end for r in told[relation].values() for end in r.values()} <= there
    examples = [k for k, e in told["entity"].items() if e["prov:type"] == "example"]
    assert [d["prov:usedEntity"] for d in told["wasDerivedFrom"].values() if d["prov:generatedEntity"] in examples] == [
        "flywheel:row/1"
    ]
    assert {name.partition(":")[0] for name in there} <= set(told["prefix"])


def test_the_command_writes_it(home, tmp_path, capsys):
    assert run(["why", "r1", "--prov", str(tmp_path / "p.json"), "--home", str(home.path)]) == 0
    assert capsys.readouterr().out
    assert "openai_chat:r1" in {
        e.get("flywheel:id") for e in json.loads((tmp_path / "p.json").read_text())["entity"].values()
    }
