"""The fields of the Data Provenance Standards in a card."""

from flywheel.formats.provenance import UNKNOWN, fields

MANIFEST = {
    "set": "support", "version": "abc", "kind": "sft", "counts": {"train": 9, "validation": 1}, "raw_files": ["f1", "f2"],
    "formats": ["openai", "trl"], "recipe": {"name": "shop", "digest": "d"}, "engine": "2",
    "derivation": [{"steps": [{"use": "redact_email", "version": 1}, {"use": "sft", "version": 1}]}],
}  # fmt: skip


def test_row_126_every_field_is_there_and_unknown_is_said():
    told = {name: value for _, name, value in fields(MANIFEST, {})}
    assert len(told) == 22
    assert all(told.values())
    assert told["License to use"] == told["Data origin geography"] == told["Dataset issue date"] == UNKNOWN
    assert told["Privacy enhancing technologies"] == "keyed pseudonyms of users, redact_email"
    assert told["Intended data use"] == "training a model; no purpose declared"


def test_what_is_known_is_said():
    rights = {
        "licences": {"logs": "CC-BY-4.0"},
        "table": [{"subject": "licence", "name": "logs"}],
        "purpose": {"commercial": True, "student": ""},
    }
    known = {"first_day": "2026-03-02", "last_day": "2026-03-04"}
    told = {name: value for _, name, value in fields(MANIFEST | {"rights": rights}, known)}
    assert told["License to use"] == "CC-BY-4.0"
    assert told["Range of dates of data generation"] == "2026-03-02 to 2026-03-04"
    assert told["Intended data use"] == "training a model (commercial: True)"
