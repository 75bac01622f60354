"""W3C PROV-JSON of one row: entities are raw lines, rows and examples; activities the stages; agents the people and models.

And of one released version of a set: entities are raw files, snapshots, the release and its files; activities the stages with
their steps; agents flywheel and the models whose terms were looked at.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Fact = Mapping[str, Any]
PREFIX = {"flywheel": "urn:flywheel:", "sha256": "urn:sha256:", "prov": "http://www.w3.org/ns/prov#"}


def of_row(story: Fact) -> dict[str, Any]:
    """The document of what `why` told. Ids of rows are kept whole in `flywheel:id`; keys are qualified names with a number."""
    names: dict[str, str] = {}

    def named(id: str) -> str:
        return names.setdefault(id, f"flywheel:row/{len(names) + 1}")

    entities: dict[str, Fact] = {}
    agents: dict[str, Fact] = {}
    activities: dict[str, Fact] = {}
    derived: dict[str, Fact] = {}
    attributed: dict[str, Fact] = {}
    generated: dict[str, Fact] = {}
    for s in story["sources"]:
        line = f"sha256:{s['digest'] or 'unreadable'}"
        at = {"file": s["file_digest"], "line": s["line"], "offset": s["byte_offset"]}
        entities[line] = {"prov:type": "raw line", **{f"flywheel:{k}": v for k, v in at.items()}}
        entities[named(s["of"])] = {"prov:type": s["kind"], "flywheel:id": s["of"]}
        derived[f"_:d{len(derived) + 1}"] = {"prov:generatedEntity": named(s["of"]), "prov:usedEntity": line}
    for step in story["steps"]:
        activities[f"flywheel:stage/{step['stage']}"] = {"prov:type": "stage"}
        if step["stage"] == "label":
            agent = f"flywheel:agent/{step['actor'] or step['actor_kind'] or 'unknown'}"
            agents[agent] = {"prov:type": step["actor_kind"] or "unknown"}
            entities.setdefault(
                named(step["feedback_id"]), {"prov:type": "feedback", "flywheel:id": step["feedback_id"]}
            )
            attributed[f"_:a{len(attributed) + 1}"] = {"prov:entity": named(step["feedback_id"]), "prov:agent": agent}
    for held in story["sets"]:
        example = f"flywheel:set/{held['set']}/{held['version']}/{named(held['example']).rpartition('/')[2]}"
        entities[example] = {"prov:type": "example", "flywheel:id": held["example"], "flywheel:split": held["split"]}
        entities.setdefault(named(story["id"]), {"prov:type": story["kind"], "flywheel:id": story["id"]})
        derived[f"_:d{len(derived) + 1}"] = {"prov:generatedEntity": example, "prov:usedEntity": named(story["id"])}
        activities["flywheel:stage/assemble"] = {"prov:type": "stage"}
        generated[f"_:g{len(generated) + 1}"] = {"prov:entity": example, "prov:activity": "flywheel:stage/assemble"}
    told = {"entity": entities, "activity": activities, "agent": agents}
    relations = {"wasDerivedFrom": derived, "wasAttributedTo": attributed, "wasGeneratedBy": generated}
    return {"prefix": PREFIX, **told, **{k: v for k, v in relations.items() if v}}


def of_release(manifest: Fact) -> dict[str, Any]:
    """The document of one released version, from its manifest alone; what it names more than once is there once."""
    us = f"flywheel:engine/{manifest['engine']}"
    release = f"flywheel:release/{manifest['set']}/{manifest['version']}"
    entities: dict[str, Fact] = {f"sha256:{digest}": {"prov:type": "raw file"} for digest in manifest["raw_files"]}
    activities: dict[str, Fact] = {}
    agents: dict[str, Fact] = {us: {"prov:type": _typed("prov:SoftwareAgent")}}
    told: dict[str, list[Fact]] = {}

    def relate(relation: str, **ends: str | int) -> None:
        told.setdefault(relation, []).append({name.replace("__", ":"): end for name, end in ends.items()})

    def snapshot(ref: Fact) -> str:
        if ref["name"].startswith("raw:"):
            entities.setdefault(file := f"sha256:{ref['version']}", {"prov:type": "raw file"})
            return file
        name = f"flywheel:snapshot/{ref['name']}/{ref['version']}"
        entities.setdefault(name, {"prov:type": "snapshot", "flywheel:name": ref["name"]})
        return name

    def stage(name: str, made: str, used: Sequence[str], **said: Any) -> None:
        activities[name] = {"prov:type": "stage", **{f"flywheel:{k}": v for k, v in said.items() if v}}
        relate("wasAssociatedWith", prov__activity=name, prov__agent=us)
        relate("wasGeneratedBy", prov__entity=made, prov__activity=name)
        for entity in used:
            relate("used", prov__activity=name, prov__entity=entity)
            relate("wasDerivedFrom", prov__generatedEntity=made, prov__usedEntity=entity, prov__activity=name)

    for step in manifest["derivation"]:
        steps = [json.dumps(s, ensure_ascii=False, sort_keys=True) for s in step["steps"]]
        used = [snapshot(ref) for ref in step["inputs"]]
        done = f"flywheel:stage/{step['name']}/{step['version']}"
        stage(done, snapshot(step), used, operation=step["operation"], step=steps, watermark=step["watermark"])
    entities[release] = {"prov:type": _typed("prov:Collection"), "flywheel:recipe": manifest["recipe"]["digest"]}
    candidate = snapshot({"name": manifest["set"], "version": manifest["snapshot"]})
    stage(f"flywheel:stage/export/{manifest['set']}/{manifest['version']}", release, [candidate])
    for name, file in sorted(manifest["files"].items()):
        entities.setdefault(f"sha256:{file['sha256']}", {"prov:type": "file", "flywheel:name": name})
        relate("hadMember", prov__collection=release, prov__entity=f"sha256:{file['sha256']}")
    models = [row for row in (manifest.get("rights") or {}).get("table", ()) if row["subject"] == "teacher"]
    for number, row in enumerate(models, 1):
        agents[f"flywheel:model/{number}"] = {"prov:type": "model", "flywheel:name": row["name"]}
        relate(
            "wasAttributedTo", prov__entity=release, prov__agent=f"flywheel:model/{number}", flywheel__rows=row["rows"]
        )
    relations = {k: {f"_:{k}{n}": r for n, r in enumerate(rows, 1)} for k, rows in sorted(told.items())}
    return {"prefix": PREFIX, "entity": entities, "activity": activities, "agent": agents, **relations}


def _typed(name: str) -> Fact:
    """A type of PROV's own: a qualified name, not a string."""
    return {"$": name, "type": "xsd:QName"}
