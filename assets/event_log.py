"""Dagster's event log in SQLite, with one engine for each file of it.

Dagster makes an engine of SQLAlchemy for each statement; each compiles its SQL anew, and asks anew which tables there are. A build
writes a thousand events, several statements each.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool


class OneEngine(SqliteEventLogStorage):
    """The same files and statements. A connection is closed after each use, as Dagster does it: no file stays open."""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the table is there; one that was there once is not asked for again."""
        known: set[str] = self.__dict__.setdefault("_tables", set())
        if table_name not in known and super().has_table(table_name):
            known.add(table_name)
        return table_name in known

    def _engine(self, shard: str) -> Engine:
        engines: dict[str, Engine] = self.__dict__.setdefault("_engines", {})
        if shard not in engines:
            waits = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            engines[shard] = create_engine(self.conn_string_for_shard(shard), poolclass=NullPool, connect_args=waits)
        return engines[shard]


def with_one_engine(instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """The instance, its event log with one engine for each file where it lies in Dagster's own SQLite files."""
    if type(instance.event_log_storage) is SqliteEventLogStorage:
        instance.event_log_storage.__class__ = OneEngine
    return instance
