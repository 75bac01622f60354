"""Where operators took part, over the small home of test_catalog."""

import pytest

from flywheel.audit.operators import changed_by, uses
from flywheel.errors import UnknownRow
from flywheel.storage.catalog import Catalog
from tests.storage.test_catalog import home, label_home

__all__ = ["home"]


def test_downstream_of_an_operator_is_what_was_made_of_its_snapshots(home):
    with Catalog.open(home) as catalog:
        found = uses(catalog, "make_labels@1")
    assert [(u.dataset, u.direct) for u in found.uses] == [
        ("labels", True), ("curated", False), ("screened", False), ("support", False)
    ]  # fmt: skip
    label_home(home, thumb=-1)
    with Catalog.open(home) as catalog:
        again = uses(catalog, "make_labels")
    assert sorted((u.dataset, u.head) for u in again.uses if u.direct) == [("labels", False), ("labels", True)]


def test_reasons_are_those_the_operator_gives(home):
    with Catalog.open(home) as catalog:
        catalog.connection.execute("CREATE TEMP TABLE derivation_steps AS FROM derivation_steps WHERE false")
        for use, parameters in (
            ("too_short", '{"min_words": 3}'),
            ("redact_email", '{"on_find": "hold"}'),
            ("too_long", '{"gone": 1}'),
        ):
            catalog.connection.execute(
                "INSERT INTO derivation_steps SELECT 'screened', key, 1, ?, 1, ? FROM snapshots WHERE dataset = 'screened'",
                [use, parameters],
            )
        assert [uses(catalog, u).reasons for u in ("too_short", "redact_email", "too_long")] == [
            ["too_short"], ["held_email"], ["too_long"]
        ]  # fmt: skip
        found = uses(catalog, "too_short")
        changed = f"SELECT id FROM lineage_calls JOIN lineage_ids ON number = call WHERE {changed_by(found)}"
        assert catalog.rows(changed, {"reasons": found.reasons}) == [{"id": "openai_chat:r3"}]
        with pytest.raises(UnknownRow, match=r'Did you mean "too_short"'):
            uses(catalog, "too_shrt")
