"""The job `audit`, as its launchpad runs it."""

from pathlib import Path

import dagster as dg
import pytest

from assets.definitions import definitions
from assets.links import audit_of, launchpad
from flywheel.home import Home


def run(home: Home, **config: object) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(home.path).resolve_job_def("audit")
        asked = {
            "ops": {"write_the_report": {"config": config}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        }
        return job.execute_in_process(instance=instance, run_config=asked, raise_on_error=False)


def shown(done: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = [e for e in done.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    return {k: v.value for k, v in event.event_specific_data.asset_observation.metadata.items()}


def test_row_117_the_launchpad_asks_for_an_id_and_writes_a_report(built: Home) -> None:
    done = run(built, id="req_4", texts=True)
    assert done.success
    told = shown(done)
    text = Path(str(told["path"])).read_text()
    assert text.startswith("# Lineage of `openai_chat:req_4`")
    assert "line 5 of logs/first.jsonl" in text
    assert str(told["path"]).startswith(str(built.path / "audits"))
    assert (told["raw_lines"], told["unchanged"]) == (2, 2)
    assert "How to check this" not in str(told["report"])
    assert len(str(told["report"]).encode()) < 9_000


def test_a_set_has_a_report_too(built: Home) -> None:
    assert shown(run(built, id="answers"))["of"] == f"set answers@{built.store.head('answers').version[:12]}"


def test_row_117_every_set_leads_to_its_lineage(built: Home) -> None:
    """The release writes the report; candidate and release link the launchpad with the version filled in."""
    for name in ("answers", "verdicts"):
        version = built.store.head(name).version[:12]
        assert (built.path / "audits" / f"{name}-{version}.md").exists()
        link = audit_of(built.store.head(name))["lineage"].value
        assert link == launchpad(f"{name}@{version}")
    assert audit_of(built.store.head("curated")) == {}
    assert launchpad('a"b\nc: d').endswith("id%3A%20%22a%5C%22b%5Cnc%3A%20d%22%0A")


def test_an_unknown_id_fails_with_a_sentence(built: Home) -> None:
    done = run(built, id="req_99999")
    assert not done.success
    (failure,) = [e.step_failure_data.user_failure_data for e in done.all_events if e.is_step_failure]
    assert 'no conversation, example or feedback event has the id "req_99999"' in failure.description


@pytest.mark.parametrize("config", [{}, {"id": 3}, {"id": "x", "more": 1}])
def test_a_wrong_config_is_refused(built: Home, config: dict[str, object]) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        run(built, **config)
