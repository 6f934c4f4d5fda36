"""`ports.event_store.EventStore` on PostgreSQL."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from aicompany.ports.event_store import AggregateRef, AggregateType, Change, Changes, EventRecord
from aicompany_workers.store.postgres.batch import changed_ids
from aicompany_workers.store.postgres.connection import Row
from aicompany_workers.store.postgres.database import PostgresDatabase

_COLUMNS = "id, aggregate_type, aggregate_id, version, event_type, event_data, metadata, timestamp"
_HANDLED = "SELECT 1 FROM inbox WHERE message_id = %s"
_READ_AGGREGATE = f"""
SELECT {_COLUMNS} FROM events WHERE aggregate_type = %s AND aggregate_id = %s AND version > %s ORDER BY version
"""
_READ_ORDER = f"""
SELECT {_COLUMNS} FROM events WHERE aggregate_type = 'task' AND aggregate_id = %(order)s AND id > %(after)s
UNION ALL
SELECT {_COLUMNS} FROM events
WHERE aggregate_type = 'task' AND aggregate_id >= %(order)s || '.' AND aggregate_id < %(order)s || '/'
    AND id > %(after)s
ORDER BY id
"""
_READ_ALL = f"SELECT {_COLUMNS} FROM events WHERE id > %s ORDER BY id LIMIT %s"
_FORGET = """
WITH old_inbox AS (DELETE FROM inbox WHERE handled_at < %(handled)s RETURNING 1),
    old_claims AS (DELETE FROM claims WHERE claimed_at < %(handled)s RETURNING 1),
    old_heartbeats AS (DELETE FROM heartbeats WHERE at < %(handled)s RETURNING 1),
    old_metrics AS (DELETE FROM performance_metrics WHERE timestamp < %(measured)s RETURNING 1)
SELECT (SELECT count(*) FROM old_inbox) + (SELECT count(*) FROM old_claims)
    + (SELECT count(*) FROM old_heartbeats) + (SELECT count(*) FROM old_metrics)
"""


class PostgresEventStore:
    """Events, inbox and outbox of one company in one database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._on_outgoing: list[Callable[[], None]] = []

    def on_outgoing(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit of this process that put something into the outbox."""
        self._on_outgoing.append(wake)

    async def commit(self, change: Change) -> tuple[EventRecord, ...]:
        """Store the change whole, or raise `AlreadyHandled`, `VersionConflict`, `StoreUnavailable`."""
        records = await self._database.commit(change)
        self._database.wakeups.wake(changed_ids(change.appends))
        if change.outgoing:
            for wake in self._on_outgoing:
                wake()
        return records

    async def is_handled(self, message_id: str) -> bool:
        """Whether the inbox has the message."""
        return bool(await self._database.fetch(_HANDLED, (message_id,)))

    async def read(self, aggregate: AggregateRef, *, after_version: int = 0) -> list[EventRecord]:
        """One aggregate's events."""
        rows = await self._database.fetch(_READ_AGGREGATE, (aggregate.type.value, aggregate.id, after_version))
        return [_record_of(row) for row in rows]

    async def read_order(self, order_id: str, *, after_position: int = 0) -> list[EventRecord]:
        """Those of an order and its steps."""
        rows = await self._database.fetch(_READ_ORDER, {"order": order_id, "after": after_position})
        return [_record_of(row) for row in rows]

    async def read_all(self, *, after_position: int = 0, limit: int = 1000) -> list[EventRecord]:
        """The whole stream. Batches are written one after the other, so positions are committed in their order."""
        return [_record_of(row) for row in await self._database.fetch(_READ_ALL, (after_position, limit))]

    def watch(self, watched_id: str) -> AbstractContextManager[Changes]:
        """Wake-ups for one order or conversation."""
        return self._database.wakeups.watch(watched_id)

    async def forget(self, *, handled_before: datetime, measured_before: datetime) -> int:
        """Drop old inbox entries, claims and measurements; returns how many. Events are never dropped."""
        rows = await self._database.fetch(_FORGET, {"handled": handled_before, "measured": measured_before})
        return int(rows[0][0])


def _record_of(row: Row) -> EventRecord:
    position, kind, aggregate_id, version, event_type, data, metadata, timestamp = row
    return EventRecord(
        position,
        AggregateRef(AggregateType(kind), aggregate_id),
        version,
        event_type,
        data,
        json.loads(metadata) if metadata != "{}" else {},
        timestamp.astimezone(UTC),
    )
