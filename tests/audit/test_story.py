"""What a trace says in the terminal."""

from flywheel.audit.forward import forward
from flywheel.audit.story import standing, trace_story
from flywheel.report import console
from flywheel.storage.catalog import Catalog
from tests.storage.test_catalog import home

__all__ = ["home"]


def told(found):
    out = console()
    with out.capture() as capture:
        out.print(trace_story(found))
    return capture.get()


def test_a_row_is_told_with_its_set_and_line(home):
    with Catalog.open(home) as catalog:
        text = told(forward(catalog, "id", "r1"))
    assert "openai_chat:r1  (row)" in text
    assert "1 conversations, 0 feedback events, and 1 events about them" in text
    assert "1 changed by redact_email (2 times)" in text
    assert "1 of 2 (0 in validation)  current release" in text
    assert "line 1 of train.jsonl  (current)" in text


def test_what_is_in_no_set_says_so(home):
    with Catalog.open(home) as catalog:
        text = told(forward(catalog, "id", "r2"))
    assert "left out (curated): near_duplicate" in text
    assert "openai_chat:r1 is kept instead" in text
    assert "no set" in text


def test_the_standing_of_a_version():
    none = dict.fromkeys(("current", "released", "candidate", "superseded"), False)
    assert standing(none | {"released": True}) == "earlier release"
    assert standing(none | {"released": True, "current": True, "candidate": True}) == "current release"
    assert standing(none | {"candidate": True, "made_with": True}) == "candidate, all made with it"
    assert standing(none | {"superseded": True}) == "earlier candidate"
