"""The dataset card."""

import pytest
import yaml

from flywheel.formats.card import card

MANIFEST = {
    "set": "support_sft",
    "kind": "kto",
    "version": "0123456789ab",
    "engine": "1",
    "recipe": {"name": "support", "digest": "ab" * 16},
    "formats": ["openai", "trl"],
    "raw_files": ["f" * 64],
    "derivation": [
        {
            "name": "support_sft",
            "version": "1" * 32,
            "operation": "assemble",
            "steps": [{"use": "sft", "version": 1, "parameters": {"examples": 9, "mix": {}}}],
        },
        {"name": "raw_files", "version": "2" * 32, "operation": "ingest", "steps": []},
    ],
    "checks": [
        {"name": "no_split_leaks", "passed": True, "blocking": True, "summary": "0 groups"},
        {"name": "labels_are_balanced", "passed": False, "blocking": False, "summary": "0.1 | of *all*"},
    ],
    "counts": {"train": 1_200, "validation": 34},
    "notes": {
        "cells": [{"cell": "task=<b>", "wanted": 1_500, "available": 1_234, "made": 1_234}],
        "rejected": {"refusal": 7},
        "labels": {"desired": 90, "undesired": 10, "desirable_weight": 1.0, "undesirable_weight": 9.0},
    },
    "lines": {
        "train.jsonl": ["a"] * 1_200,
        "validation.jsonl": ["b"] * 34,
        "trl/train.jsonl": ["a"],
        "trl/validation.jsonl": [],
    },
    "losses": {"openai": {"reasoning": {"rows": 2, "examples": ["a", "b_1"]}}},
    "refused": {"trl": {"z": "arguments_are_no_json"}},
}
FACTS = {
    "source": {"openai_chat": 1_234},
    "model": {"gpt-x": 1_000, "evil](http://x)\n# H": 234},
    "language": {"en": 1_000, "ko": 200, "und": 34},
    "first_day": "2026-03-02",
    "last_day": "2026-03-12",
}


def front(facts, manifest=MANIFEST):
    return yaml.safe_load(card(manifest, facts).split("---\n")[1])


def test_row_126_the_front_matter_is_yaml_that_dataset_tools_read():
    head = front(FACTS)
    assert (head["pretty_name"], head["language"], head["size_categories"]) == (
        "support_sft",
        ["en", "ko"],
        ["1K<n<10K"],
    )
    assert head["configs"] == [
        {
            "config_name": "openai",
            "default": True,
            "data_files": [
                {"split": "train", "path": "train.jsonl"},
                {"split": "validation", "path": "validation.jsonl"},
            ],
        },
        {"config_name": "trl", "data_files": [{"split": "train", "path": "trl/train.jsonl"}]},
    ]


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        ({}, {"license": "unknown"}),
        ({"logs": "ODC-BY"}, {"license": "odc-by"}),
        ({"elsewhere": "ODC-BY"}, {"license": "unknown"}),
        ({"logs": "unknown"}, {"license": "unknown"}),
        ({"logs": "ODC-BY", "b": "MIT"}, {"license": "other", "license_name": "MIT AND ODC-BY"}),
    ],
)
def test_the_licence_is_claimed_only_where_all_sources_have_one(licences, expected):
    names = ["logs", *(["b"] if "b" in licences else [])]
    about = {"stands": "-", "verdict": "permitted", "rows": 1, "why": "-", "demands": ""}
    table = [{"subject": "licence", "name": name, **about} for name in names]
    rights = {"rights": {"purpose": None, "licences": licences, "table": table}} if licences else {}
    head = front(FACTS, MANIFEST | rights)
    assert {k: v for k, v in head.items() if k.startswith("license")} == expected


def test_row_126_sources_window_steps_checks_and_counts_are_there():
    text = card(MANIFEST, FACTS)
    for said in (
        "conversations of 2026-03-02 to 2026-03-12 (UTC)",
        "openai\\_chat (1,234)",
        "| passed | no\\_split\\_leaks | 0 groups |",
        "| warning | labels\\_are\\_balanced |",
        "| refusal | 7 |",
        "undesirable_weight = 9",
        "| `train.jsonl` | 1,200 |",
        "sft v1 (examples=9)",
        "| `openai` | reasoning | 2 | a, b\\_1 |",
        "| `trl` | the whole example: arguments\\_are\\_no\\_json | 1 | z |",
    ):
        assert said in text, said
    assert text.index("**ingest**") < text.index("**assemble**")


def test_text_from_logs_cannot_write_markup():
    text = card(MANIFEST, FACTS)
    assert "\n# H" not in text
    assert "evil\\](http://x) \\# H" in text
    assert "task=\\<b\\>" in text
    assert "0.1 \\| of \\*all\\*" in text


def test_a_card_without_facts_is_still_a_card():
    assert "# support_sft" in card(MANIFEST, {})


def test_a_selection_is_told_with_its_frontier():
    frontier = [{"size": 1_000, "mean_score": 0.9}, {"size": 2_000, "mean_score": 0.7}]
    told = card(MANIFEST | {"notes": {"selection": {"side": "hard", "kept": 3, "frontier": frontier}}}, FACTS)
    assert "- side: hard" in told
    assert "| 1,000 | 0.9 |" in told
    assert "## Selection" not in card(MANIFEST, FACTS)


def test_row_34_the_mix_is_shown_against_its_target_and_the_reference_is_called_one():
    shares = {"code": 0.1489, "<b>": 0.8511}
    cells = [
        {"cell": "app=<b>", "wanted": 85, "available": 90, "made": 85},
        {"cell": "app=code", "wanted": 15, "available": 9, "made": 9},
    ]
    usage = {"weight": "users", "n": 1_200, "first": "2026-03-01", "last": "2026-03-28", "shares": {"code": 1.0}}
    follow = {
        "app": {
            "shares": shares,
            "blend": {"reference": 1.0, "usage": 0.0},
            "reference": {"name": "llama3_sft", "shares": shares},
            "usage": usage,
        }
    }
    notes = MANIFEST["notes"] | {"cells": cells, "follow": follow, "copies": {"rows": 3, "max_copies": 2}}
    text = card(MANIFEST | {"notes": notes}, FACTS)
    section = text.split("## Mix\n")[1].split("\n## ")[0]
    assert "![plot](<data:image/svg+xml," in section
    assert "`app` follows 1 reference, 0 usage." in section
    assert "| app | target | reference llama3_sft | usage, 1,200 users, 2026-03-01 to 2026-03-28 |" in section
    assert "| code | 14.89% | 14.89% | 100.00% |" in section
    assert "| \\<b\\> | 85.11% | 85.11% | – |" in section
    assert "A reference is what others used, and no proven optimum." in section
    assert "3 rows repeat another, each at most 2 times in all" in section
    assert "## Mix" not in card(MANIFEST, FACTS)


def test_the_coverage_is_told_with_its_interval_and_its_gap():
    line = {"axis": "app", "value": "a|b <i>", "rows": 110, "n": 500, "share": 0.22, "low": 0.186, "high": 0.258}
    line |= {"least": 0.3, "most": None, "replacing": 40, "gap": -0.08, "within_noise": False}
    text = card(MANIFEST, {"coverage": [line]})
    told = next(row for row in text.split("\n") if row.startswith("| app |"))
    assert "110 of 500 | ██░░░░░░░░ | 22.0% (18.6% to 25.8%) | at least 30.0% | short 40 |" in told
    assert "<i>" not in told.replace("\\<i\\>", "")
    assert "## Coverage" not in card(MANIFEST, {})
