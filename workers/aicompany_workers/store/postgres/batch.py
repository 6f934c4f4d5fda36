"""One batch of changes as one transaction with few round trips.

All batches of all processes are written one after the other, behind one lock. So positions are committed in their
order and no event appears late before one that was read already, versions cannot change between looking and writing,
and a batch can be decided whole before it is written. What makes it fast is that a batch holds many changes.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aicompany.errors import AICompanyError, AlreadyHandled, VersionConflict
from aicompany.ids import order_id_of
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, EventRecord
from aicompany_workers.store.postgres.connection import Connection, Row

CHANNEL = "aicompany"
"""Of the notifications: the ids that changed, or `EVERYTHING`."""
EVERYTHING = "*"
_PAYLOAD_MAX = 7900
"""PostgreSQL refuses 8,000 bytes."""
_LOCK_ID = 0x41_49_43_4F_4D_02

_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_INSERT_INBOX = """
INSERT INTO inbox (message_id, handled_at) SELECT unnest(%s::TEXT[]), %s ON CONFLICT DO NOTHING RETURNING message_id
"""
_FORGET_INBOX = "DELETE FROM inbox WHERE message_id = ANY(%s)"
_VERSIONS = """
SELECT wanted.type, wanted.id, (
    SELECT max(version) FROM events WHERE aggregate_type = wanted.type AND aggregate_id = wanted.id
)
FROM unnest(%s::TEXT[], %s::TEXT[]) AS wanted (type, id)
"""
_INSERT_EVENTS = """
INSERT INTO events (aggregate_type, aggregate_id, version, event_type, event_data, metadata, timestamp)
SELECT type, id, version, event_type, event_data, metadata, %s
FROM unnest(%s::TEXT[], %s::TEXT[], %s::INT[], %s::TEXT[], %s::TEXT[], %s::TEXT[])
    WITH ORDINALITY AS e (type, id, version, event_type, event_data, metadata, place)
ORDER BY place
RETURNING id
"""
_INSERT_OUTBOX = """
INSERT INTO outbox (queue, message_id, body, due_at)
SELECT queue, message_id, body, CASE WHEN delay > 0 THEN clock_timestamp() + delay * INTERVAL '1 second' END
FROM unnest(%s::TEXT[], %s::TEXT[], %s::BYTEA[], %s::FLOAT8[])
    WITH ORDINALITY AS o (queue, message_id, body, delay, place)
ORDER BY place
"""
_INSERT_METRICS = """
INSERT INTO performance_metrics (metric, value, unit, labels, timestamp)
SELECT metric, value, unit, labels, %s FROM unnest(%s::TEXT[], %s::FLOAT8[], %s::TEXT[], %s::TEXT[])
    AS m (metric, value, unit, labels)
"""
_NOTIFY = "SELECT pg_notify(%s, %s)"

Outcome = tuple[EventRecord, ...] | AICompanyError
"""The events that a change appended, or why nothing of it was stored."""


_PlannedEvent = tuple[Append, int, int, str]
"""Append, place of the event in it, version, metadata."""


@dataclass(slots=True)
class _Planned:
    """What a batch writes, put together before it is written."""

    outcomes: list[AICompanyError | int] = field(default_factory=list)
    """For each change why not, or how many events are its."""
    events: list[_PlannedEvent] = field(default_factory=list)
    written: list[Change] = field(default_factory=list)
    refused_messages: list[str] = field(default_factory=list)
    """In the inbox by now, though their change is not written."""


def fits(change: Change, messages: set[str]) -> bool:
    """Whether a change can join a batch that handles these messages: each at most once, so that order is no matter."""
    return change.handled_message_id is None or change.handled_message_id not in messages


async def write_batch(connection: Connection, changes: Sequence[Change], now: datetime) -> list[Outcome]:
    """Write what can be written, committed when it returns. Raises psycopg's errors; then nothing was."""
    messages = [c.handled_message_id for c in changes if c.handled_message_id is not None]
    aggregates = list({append.aggregate: None for change in changes for append in change.appends})
    async with connection.transaction():
        fresh, versions = await _look(connection, messages, aggregates, now)
        planned = _plan(changes, fresh, versions)
        positions = await _write(connection, planned, now)
    return _outcomes(changes, planned, positions, now)


async def _look(
    connection: Connection, messages: list[str], aggregates: list[AggregateRef], now: datetime
) -> tuple[set[str], Counter[AggregateRef]]:
    """Which messages are new, and where the aggregates stand."""
    async with connection.pipeline(), connection.cursor() as inbox, connection.cursor() as standing:
        await connection.execute(_LOCK, (_LOCK_ID,))
        if messages:
            await inbox.execute(_INSERT_INBOX, (messages, now))
        if aggregates:
            await standing.execute(_VERSIONS, ([a.type.value for a in aggregates], [a.id for a in aggregates]))
        fresh = {row[0] for row in await inbox.fetchall()} if messages else set()
        rows: list[Row] = await standing.fetchall() if aggregates else []
    return fresh, Counter({AggregateRef(AggregateType(kind), name): version or 0 for kind, name, version in rows})


def _plan(changes: Sequence[Change], fresh: set[str], versions: Counter[AggregateRef]) -> _Planned:
    planned = _Planned()
    for change in changes:
        message = change.handled_message_id
        if message is not None and message not in fresh:
            planned.outcomes.append(AlreadyHandled(f"message {message} was handled before"))
            continue
        conflict = _conflict_of(change, versions)
        if conflict is not None:
            planned.outcomes.append(conflict)
            if message is not None:
                planned.refused_messages.append(message)
            continue
        metadata = json.dumps(dict(change.metadata)) if change.metadata else "{}"
        count = 0
        for append in change.appends:
            for place in range(len(append.events)):
                versions[append.aggregate] += 1
                planned.events.append((append, place, versions[append.aggregate], metadata))
                count += 1
        planned.written.append(change)
        planned.outcomes.append(count)
    return planned


def _conflict_of(change: Change, versions: Counter[AggregateRef]) -> VersionConflict | None:
    ahead: Counter[AggregateRef] = Counter()
    for append in change.appends:
        aggregate, expected = append.aggregate, append.expected_version
        version = versions[aggregate] + ahead[aggregate]
        if expected is not None and version != expected:
            return VersionConflict(f"{aggregate.type.value} {aggregate.id} stands at version {version}, not {expected}")
        ahead[aggregate] += len(append.events)
    return None


async def _write(connection: Connection, planned: _Planned, now: datetime) -> list[int]:
    """Everything planned; the positions of the events in their order."""
    outgoing = [message for change in planned.written for message in change.outgoing]
    measured = [measurement for change in planned.written for measurement in change.measurements]
    async with connection.pipeline(), connection.cursor() as inserted:
        if planned.refused_messages:
            await connection.execute(_FORGET_INBOX, (planned.refused_messages,))
        if planned.events:
            await inserted.execute(_INSERT_EVENTS, (now, *_event_columns(planned)))
        if outgoing:
            columns = ([m.queue for m in outgoing], [m.message_id for m in outgoing])
            await connection.execute(
                _INSERT_OUTBOX, (*columns, [m.body for m in outgoing], [m.delay_seconds for m in outgoing])
            )
        if measured:
            values = ([m.metric for m in measured], [float(m.value) for m in measured], [m.unit for m in measured])
            labels = [json.dumps(dict(m.labels)) for m in measured]
            await connection.execute(_INSERT_METRICS, (now, *values, labels))
        if planned.events:
            await connection.execute(_NOTIFY, (CHANNEL, _payload(planned)))
        # The order of what INSERT … SELECT … ORDER BY gives back is that of the identities it drew.
        return sorted(row[0] for row in await inserted.fetchall()) if planned.events else []


def _event_columns(planned: _Planned) -> tuple[list[str] | list[int], ...]:
    events = [(append, append.events[place], version, metadata) for append, place, version, metadata in planned.events]
    return (
        [append.aggregate.type.value for append, _, _, _ in events],
        [append.aggregate.id for append, _, _, _ in events],
        [version for _, _, version, _ in events],
        [event.event_type for _, event, _, _ in events],
        [event.data for _, event, _, _ in events],
        [metadata for _, _, _, metadata in events],
    )


def changed_ids(appends: Sequence[Append]) -> set[str]:
    """The names under which these changes are watched: the aggregate's, and the order's of a task."""
    names = {append.aggregate.id for append in appends}
    orders = {order_id_of(a.aggregate.id) for a in appends if a.aggregate.type is AggregateType.TASK}  # type: ignore[arg-type]
    return names | orders


def _payload(planned: _Planned) -> str:
    names = changed_ids([append for append, _, _, _ in planned.events])
    payload = ",".join(sorted(names))
    return payload if len(payload.encode()) <= _PAYLOAD_MAX else EVERYTHING


def _outcomes(changes: Sequence[Change], planned: _Planned, positions: Sequence[int], now: datetime) -> list[Outcome]:
    placed = iter(zip(positions, planned.events, strict=True))
    outcomes: list[Outcome] = []
    for change, outcome in zip(changes, planned.outcomes, strict=True):
        if isinstance(outcome, int):
            own = (next(placed) for _ in range(outcome))
            outcomes.append(tuple(_record(position, event, change, now) for position, event in own))
        else:
            outcomes.append(outcome)
    return outcomes


def _record(position: int, event: _PlannedEvent, change: Change, now: datetime) -> EventRecord:
    append, place, version, _ = event
    new = append.events[place]
    return EventRecord(position, append.aggregate, version, new.event_type, new.data, change.metadata, now)
