"""One engine for each file of Dagster's event log: the same events, in the same files."""

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import sqlite_event_log

from assets import event_log
from assets.event_log import OneEngine, with_one_engine


@dg.asset(check_specs=[dg.AssetCheckSpec("is_seven", asset="number")])
def number():
    yield dg.MaterializeResult(metadata={"n": 7}, check_results=[dg.AssetCheckResult(passed=True)])


def told(instance, run_id):
    """What the log holds: each event's type and step, the materialization, the check."""
    records = instance.all_logs(run_id)
    latest = instance.get_latest_materialization_event(dg.AssetKey("number"))
    checks = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("number"), "is_seven"), limit=5
    )
    return (
        [(r.dagster_event_type, r.step_key) for r in records],
        latest.asset_materialization.metadata["n"].value,
        [c.status.value for c in checks],
    )


def test_another_instance_reads_what_it_wrote_and_it_reads_what_another_wrote(tmp_path):
    with with_one_engine(dg.DagsterInstance.from_config(str(tmp_path))) as one:
        assert isinstance(one.event_log_storage, OneEngine)
        run = dg.materialize([number], instance=one)
        wrote = told(one, run.run_id)
    with dg.DagsterInstance.from_config(str(tmp_path)) as plain:
        assert type(plain.event_log_storage) is SqliteEventLogStorage
        assert told(plain, run.run_id) == wrote
        again = dg.materialize([number], instance=plain)
    with with_one_engine(dg.DagsterInstance.from_config(str(tmp_path))) as one:
        events, value, checks = told(one, again.run_id)
    assert events == wrote[0]
    assert (value, checks) == (7, ["SUCCEEDED", "SUCCEEDED"])


def test_there_is_an_engine_for_each_file_and_not_for_each_statement(tmp_path, monkeypatch):
    made: list[str] = []
    create = event_log.create_engine
    monkeypatch.setattr(event_log, "create_engine", lambda url, **o: made.append(str(url)) or create(url, **o))
    monkeypatch.setattr(sqlite_event_log, "create_engine", lambda url, **o: made.append(str(url)) or create(url, **o))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = with_one_engine(instance).event_log_storage
        made.clear()
        dg.materialize([number], instance=instance)
        assert storage.has_table("event_logs")
        assert not storage.has_table("nothing")
    assert len(set(made)) == 2
    assert len(made) < 12


def test_a_log_that_lies_elsewhere_is_left_alone():
    with dg.DagsterInstance.ephemeral() as instance:
        kind = type(instance.event_log_storage)
        assert type(with_one_engine(instance).event_log_storage) is kind
        assert kind is not OneEngine
