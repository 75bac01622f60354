"""Rights through the doors a user has: the recipe, the checks, the command line, the card and the manifest."""

import json

import orjson
import pytest

from flywheel.__main__ import run
from flywheel.home import Home
from tests.homes import Ran

pytestmark = pytest.mark.slow


def declare(home: Home, purpose: str, teacher: str = "allowed") -> None:
    """Another purpose and other terms in the recipe of a small home."""
    text = home.recipe_file.read_text()
    text = text.replace("commercial = true\ndistributed = false\ncompeting = false", purpose)
    home.recipe_file.write_text(text.replace('terms = "allowed"', f'terms = "{teacher}"'))


def test_a_forbidden_teacher_blocks_the_release_and_the_command_says_why(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(home, "commercial = true\ndistributed = true\ncompeting = true", "no_competing")
    ran = Ran(home)
    assert not ran.success
    assert not ran.checks["answers", "teachers_permit_the_purpose"].passed
    assert ran.checks["answers", "licences_permit_the_purpose"].passed
    assert ran.released == set()
    assert run(["rights", "answers", "--json", "--home", str(home.path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["purpose"]["competing"] is True
    verdicts = {(r["subject"], r["verdict"]) for r in told["sets"]["answers"]}
    assert verdicts == {("licence", "permitted"), ("teacher", "forbidden")}
    assert run(["rights", "answer", "--home", str(home.path)]) == 1
    assert 'Did you mean "answers"' in capsys.readouterr().err


def test_another_purpose_asks_the_checks_again(home: Home) -> None:
    declare(home, "commercial = true\ndistributed = true\ncompeting = true")
    later = Ran(home, only=["answers_release"])
    assert not later.success
    assert "has no verdict for this version" in later.failures["answers_release"]


def test_without_a_purpose_the_checks_say_undeclared(home: Home) -> None:
    text = home.recipe_file.read_text()
    home.recipe_file.write_text(
        text.replace("[purpose]\ncommercial = true\ndistributed = false\ncompeting = false\n", "")
    )
    ran = Ran(home)
    found = ran.checks["answers", "licences_permit_the_purpose"]
    assert found.description is not None
    assert found.description.startswith("Undeclared: the recipe has no [purpose]")
    assert ran.checks["answers", "every_source_is_registered"].passed


def test_card_and_manifest_tell_the_rights(finished: tuple[Home, Ran]) -> None:
    folder = finished[0].exports / "answers" / "current"
    rights = orjson.loads((folder / "manifest.json").read_bytes())["rights"]
    assert rights["licences"] == {"own_users": "LicenseRef-own-users"}
    assert [r["verdict"] for r in rights["table"]] == ["permitted"] * len(rights["table"])
    card = (folder / "README.md").read_text()
    assert "## Licences and terms" in card
    assert 'license: "licenseref-own-users"' in card
