"""Croissant 1.1 (MLCommons): the description of a release in JSON-LD, from which dataset tools load its records.

`rows.parquet` is described column by column, so that `mlcroissant` reads every example; the training files are named with their
digests. What Croissant takes from PROV-O and its RAI vocabulary says where the set comes from and what was done about personal
data. No file holds the time it was made: the date published is the newest day of the logs.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

NAME = "croissant.json"
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        term: f"cr:{term}"
        for term in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes",
            "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace",
            "samplingRate", "separator", "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}  # fmt: skip
"""The standard's own context, and PROV-O."""
FORMATS = {"parquet": "application/x-parquet", "jsonl": "application/jsonlines"}
"""Of Parquet this name and no other: records of application/vnd.apache.parquet cannot be read."""
UNDATED = "1970-01-01"


def croissant(
    manifest: Mapping[str, Any], facts: Mapping[str, Any], columns: Mapping[str, pl.DataType], about: str
) -> dict[str, Any]:
    """The description. `manifest` with the digests of its files; `facts` as the card has them; `columns` of rows.parquet."""
    name = manifest["set"]
    files = {n: f for n, f in manifest["files"].items() if n.rpartition(".")[2] in FORMATS}
    steps = [f"{s['use']}@{s['version']}" for entry in reversed(manifest["derivation"]) for s in entry["steps"]]
    redactions = sorted(
        {s["use"] for e in manifest["derivation"] for s in e["steps"] if s["use"].startswith("redact_")}
    )
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": name,
        "description": about,
        "version": "1.0.0",
        "citeAs": f"{name} {manifest['version']}",
        "url": f"urn:flywheel:{name}:{manifest['version']}",
        "license": licence(manifest),
        "creator": {"@type": "sc:Organization", "name": manifest["recipe"]["name"]},
        "datePublished": facts.get("last_day") or UNDATED,
        "inLanguage": [code for code in facts.get("language", {}) if code != "und"],
        "rai:dataCollection": "Logged calls of an application to language models, and the feedback of people on the replies.",
        "rai:dataCollectionTimeframe": [d for d in (facts.get("first_day"), facts.get("last_day")) if d],
        "rai:dataPreprocessingProtocol": list(dict.fromkeys(steps)),
        "rai:personalSensitiveInformation": [
            f"{use}: values found are replaced by keyed pseudonyms" for use in redactions
        ]
        or ["Nothing was redacted."],
        "prov:wasDerivedFrom": [{"@id": f"urn:sha256:{digest}"} for digest in manifest["raw_files"]],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"flywheel engine {manifest['engine']}, recipe {manifest['recipe']['digest']}",
        },
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": n,
                "name": n,
                "contentUrl": n,
                "encodingFormat": FORMATS[n.rpartition(".")[2]],
                "sha256": f["sha256"],
            }
            for n, f in sorted(files.items())
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "examples",
                "name": "examples",
                "description": "One record for each example: who it is, what it is made of, where it lies. The messages are in the training files.",
                "key": {"@id": "examples/id"},
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"examples/{column}",
                        "name": column,
                        "dataType": kind,
                        "source": {"fileObject": {"@id": "rows.parquet"}, "extract": {"column": column}},
                    }
                    for column, dtype in columns.items()
                    if (kind := data_type(dtype))
                ],
            }
        ],
    }


def data_type(dtype: pl.DataType) -> str | None:
    """What Croissant calls a type of single values; None for nested ones."""
    if dtype == pl.Boolean:
        return "sc:Boolean"
    if dtype.is_integer():
        return "sc:Integer"
    if dtype.is_float():
        return "sc:Float"
    return "sc:Text" if dtype == pl.String else None


def licence(manifest: Mapping[str, Any]) -> str:
    """The licences of all its sources as one SPDX expression; `unknown` where nobody has said it of one of them."""
    rights = manifest.get("rights") or {"licences": {}, "table": ()}
    sources = [row["name"] for row in rights["table"] if row["subject"] == "licence"]
    names = sorted({rights["licences"].get(source, "unknown") for source in sources})
    if not names or "unknown" in names:
        return "unknown"
    return names[0] if len(names) == 1 else " AND ".join(f"({n})" if " " in n else n for n in names)
