"""The fields of the Data Provenance Standards 1.0.0 (Data & Trust Alliance), as far as a release can know them.

What nobody has said is `unknown`, and never left out: a reader must see what was not asked.
"""

from collections.abc import Mapping
from typing import Any

from flywheel.formats.croissant import licence

UNKNOWN = "unknown"


def fields(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Group, field and value of each of the 22 fields. `facts` as the card has them."""
    name, version = manifest["set"], manifest["version"]
    redactions = sorted(
        {s["use"] for e in manifest["derivation"] for s in e["steps"] if s["use"].startswith("redact_")}
    )
    days = [d for d in (facts.get("first_day"), facts.get("last_day")) if d]
    rights = manifest.get("rights") or {}
    purpose = rights.get("purpose")
    return [
        ("source", "Standards version used", "1.0.0"),
        ("source", "Dataset title or name", name),
        ("source", "Unique metadata identifier", f"urn:flywheel:{name}:{version}"),
        ("source", "Metadata location", "manifest.json and croissant.json beside the files"),
        ("source", "Data issuer", manifest["recipe"]["name"]),
        ("source", "Description of the dataset", f"{manifest['kind']}: {sum(manifest['counts'].values()):,} examples"),
        ("provenance", "Source metadata", f"{len(manifest['raw_files'])} raw files by SHA-256 in manifest.json"),
        ("provenance", "Source, if different from the issuer", ", ".join(rights.get("licences", {})) or UNKNOWN),
        ("provenance", "Data origin geography", UNKNOWN),
        ("provenance", "Dataset issue date", facts.get("last_day") or UNKNOWN),
        ("provenance", "Date of previously issued version", UNKNOWN),
        ("provenance", "Range of dates of data generation", " to ".join(days) or UNKNOWN),
        ("provenance", "Method", "calls of an application, logged; feedback of its users"),
        ("provenance", "Data format", ", ".join(manifest["formats"])),
        ("use", "Confidentiality classification", UNKNOWN),
        ("use", "Consent documentation location", UNKNOWN),
        ("use", "Privacy enhancing technologies", ", ".join(["keyed pseudonyms of users", *redactions])),
        ("use", "Data processing geography", UNKNOWN),
        ("use", "Data storage geography", UNKNOWN),
        ("use", "License to use", licence(manifest)),
        (
            "use",
            "Intended data use",
            "training a model" + (f" ({_said(purpose)})" if purpose else "; no purpose declared"),
        ),
        ("use", "Proprietary data presence", UNKNOWN),
    ]


def _said(purpose: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}: {v}" for k, v in purpose.items() if v != "")
