"""`ports.event_store.EventStore` on SQLite."""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from aicompany.errors import AlreadyHandled, VersionConflict
from aicompany.ids import order_id_of
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, EventRecord
from aicompany_workers.store.changes import WokenChanges
from aicompany_workers.store.sqlite.database import SqliteDatabase

_INSERT_INBOX = "INSERT INTO inbox (message_id, handled_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_EVENT = """
INSERT INTO events (aggregate_type, aggregate_id, version, event_type, event_data, metadata, timestamp)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_VERSION = "SELECT max(version) FROM events WHERE aggregate_type = ? AND aggregate_id = ?"
_INSERT_OUTBOX = "INSERT INTO outbox (queue, message_id, body, due_at) VALUES (?, ?, ?, ?)"
_INSERT_METRIC = "INSERT INTO performance_metrics (metric, value, unit, labels, timestamp) VALUES (?, ?, ?, ?, ?)"

_COLUMNS = "id, aggregate_type, aggregate_id, version, event_type, event_data, metadata, timestamp"
READ_AGGREGATE = f"""
SELECT {_COLUMNS} FROM events WHERE aggregate_type = ? AND aggregate_id = ? AND version > ? ORDER BY version
"""
# Two searches of the index: with OR, SQLite would go through the events of all tasks.
READ_ORDER = f"""
SELECT * FROM (
    SELECT {_COLUMNS} FROM events WHERE aggregate_type = 'task' AND aggregate_id = ?1 AND id > ?2
    UNION ALL
    SELECT {_COLUMNS} FROM events
    WHERE aggregate_type = 'task' AND aggregate_id >= ?1 || '.' AND aggregate_id < ?1 || '/' AND id > ?2
)
ORDER BY id
"""
READ_ALL = f"SELECT {_COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?"


class SqliteEventStore:
    """Events, inbox and outbox of one company in one file."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ahead_seconds = clock.now().timestamp() - clock.monotonic_seconds()
        self._watchers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._on_outgoing: list[Callable[[], None]] = []

    def on_outgoing(self, wake: Callable[[], None]) -> None:
        """Call `wake` on the event loop after each commit that put something into the outbox."""
        self._on_outgoing.append(wake)

    def steady_now(self) -> float:
        """Seconds since the epoch by the wall clock as it was when the store was made; delays count by it.

        Otherwise what is to go out in a second would wait for an hour when the clock is set back by one.
        """
        return self._ahead_seconds + self._clock.monotonic_seconds()

    async def commit(self, change: Change) -> tuple[EventRecord, ...]:
        """Store the change whole, or raise `AlreadyHandled`, `VersionConflict`, `StoreUnavailable`."""
        now, due_from = self._clock.now(), self.steady_now()
        metadata = json.dumps(dict(change.metadata)) if change.metadata else "{}"

        def work(connection: sqlite3.Connection) -> tuple[EventRecord, ...]:
            return _write_change(connection, change, now, metadata, due_from)

        records = await self._database.write(work)
        self._wake(change)
        return records

    async def is_handled(self, message_id: str) -> bool:
        """Whether the inbox has the message."""
        statement = "SELECT 1 FROM inbox WHERE message_id = ?"
        return await self._database.read(lambda c: c.execute(statement, (message_id,)).fetchone() is not None)

    async def read(self, aggregate: AggregateRef, *, after_version: int = 0) -> list[EventRecord]:
        """One aggregate's events."""
        return await self._records(READ_AGGREGATE, (aggregate.type.value, aggregate.id, after_version))

    async def read_order(self, order_id: str, *, after_position: int = 0) -> list[EventRecord]:
        """Those of an order and its steps."""
        return await self._records(READ_ORDER, (order_id, after_position))

    async def read_all(self, *, after_position: int = 0, limit: int = 1000) -> list[EventRecord]:
        """The whole stream. With one writer, positions are committed in their order."""
        return await self._records(READ_ALL, (after_position, limit))

    @contextmanager
    def watch(self, watched_id: str) -> Iterator[WokenChanges]:
        """Wake-ups for one order or conversation."""
        changes = WokenChanges()
        self._watchers[watched_id].add(changes.happened)
        try:
            yield changes
        finally:
            self._watchers[watched_id].discard(changes.happened)
            if not self._watchers[watched_id]:
                del self._watchers[watched_id]

    async def forget(self, *, handled_before: datetime, measured_before: datetime) -> int:
        """Drop old inbox entries and measurements; returns how many. Events are never dropped."""
        old = (timestamp_of(handled_before),)
        older = (timestamp_of(measured_before),)

        def work(connection: sqlite3.Connection) -> int:
            handled = connection.execute("DELETE FROM inbox WHERE handled_at < ?", old).rowcount
            return handled + connection.execute("DELETE FROM performance_metrics WHERE timestamp < ?", older).rowcount

        return await self._database.write(work)

    async def _records(self, statement: str, values: tuple[Any, ...]) -> list[EventRecord]:
        return await self._database.read(lambda c: [record_of(row) for row in c.execute(statement, values)])

    def _wake(self, change: Change) -> None:
        if self._watchers:
            for append in change.appends:
                for name in {append.aggregate.id, order_id_of_ref(append.aggregate)}:
                    for changed in self._watchers.get(name, ()):
                        changed.set()
        if change.outgoing:
            for wake in self._on_outgoing:
                wake()


def order_id_of_ref(aggregate: AggregateRef) -> str:
    """The order of a task; the aggregate's own id otherwise."""
    return order_id_of(aggregate.id) if aggregate.type is AggregateType.TASK else aggregate.id  # type: ignore[arg-type]


def timestamp_of(moment: datetime) -> str:
    """The text that is stored: RFC 3339, UTC, microseconds; sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def record_of(row: tuple[Any, ...]) -> EventRecord:
    """A row of `events`, columns in their order."""
    position, kind, aggregate_id, version, event_type, data, metadata, timestamp = row
    return EventRecord(
        position,
        AggregateRef(AggregateType(kind), aggregate_id),
        version,
        event_type,
        data,
        json.loads(metadata) if metadata != "{}" else {},
        datetime.fromisoformat(timestamp),
    )


def _write_change(
    connection: sqlite3.Connection, change: Change, now: datetime, metadata: str, due_from: float
) -> tuple[EventRecord, ...]:
    timestamp = timestamp_of(now)
    if change.handled_message_id is not None:
        inserted = connection.execute(_INSERT_INBOX, (change.handled_message_id, timestamp)).rowcount
        if not inserted:
            raise AlreadyHandled(f"message {change.handled_message_id} was handled before")
    records = tuple(
        record for append in change.appends for record in _append(connection, append, now, metadata, change.metadata)
    )
    if change.outgoing:
        connection.executemany(
            _INSERT_OUTBOX,
            [
                (m.queue, m.message_id, m.body, due_from + m.delay_seconds if m.delay_seconds else 0.0)
                for m in change.outgoing
            ],
        )
    if change.measurements:
        rows = [(m.metric, m.value, m.unit, json.dumps(dict(m.labels)), timestamp) for m in change.measurements]
        connection.executemany(_INSERT_METRIC, rows)
    return records


def _append(
    connection: sqlite3.Connection, append: Append, now: datetime, metadata: str, metadata_values: Mapping[str, Any]
) -> Iterable[EventRecord]:
    aggregate = append.aggregate
    (found,) = connection.execute(_VERSION, (aggregate.type.value, aggregate.id)).fetchone()
    version = found or 0
    if append.expected_version is not None and version != append.expected_version:
        raise VersionConflict(
            f"{aggregate.type.value} {aggregate.id} stands at version {version}, not {append.expected_version}"
        )
    timestamp = timestamp_of(now)
    for event in append.events:
        version += 1
        values = (aggregate.type.value, aggregate.id, version, event.event_type, event.data, metadata, timestamp)
        cursor = connection.execute(_INSERT_EVENT, values)
        yield EventRecord(cursor.lastrowid or 0, aggregate, version, event.event_type, event.data, metadata_values, now)
