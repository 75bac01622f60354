"""W3C PROV-JSON of one row: entities are raw lines, rows and examples; activities the stages; agents the people and models."""

from collections.abc import Mapping
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
