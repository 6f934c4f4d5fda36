"""`ports.event_store.Outbox` on PostgreSQL: several processes carry from one table without meeting.

The rows that `pending` gives out stay locked by its transaction until they are marked or asked for anew; a process that
dies lets go of them at once, because its connection does.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress

import psycopg

from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import OutboxRow
from aicompany.spec.servers import Durability
from aicompany_workers.store.postgres.connection import STATEMENT_SECONDS, Connection, connect, explained, set_up
from aicompany_workers.store.postgres.database import PostgresDatabase
from aicompany_workers.store.postgres.event_store import PostgresEventStore

_PENDING = """
SELECT sequence, queue, message_id, body,
    greatest(0, coalesce(extract(epoch FROM due_at - clock_timestamp()), 0))::FLOAT8
FROM outbox WHERE NOT queue = ANY(%s) ORDER BY sequence LIMIT %s FOR UPDATE SKIP LOCKED
"""
_MARK = "DELETE FROM outbox WHERE sequence = ANY(%s)"
_COUNT = "SELECT count(*) FROM outbox"


class PostgresOutbox:
    """Messages on their way to the broker; one carrier a process."""

    def __init__(self, database: PostgresDatabase, store: PostgresEventStore) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._something_pending = asyncio.Event()
        self._something_pending.set()
        store.on_outgoing(self._something_pending.set)

    async def pending(self, limit: int, *, except_queues: Collection[str] = ()) -> list[OutboxRow]:
        """The oldest rows that nobody else carries."""
        self._something_pending.clear()
        connection = await self._connected()
        try:
            with explained(self._database.spec):
                async with asyncio.timeout(STATEMENT_SECONDS):
                    await connection.rollback()
                    cursor = await connection.execute(_PENDING, (list(except_queues), limit))
                    rows = await cursor.fetchall()
                    if not rows:
                        await connection.rollback()
        except BaseException:
            await self._disconnect()
            raise
        return [
            OutboxRow(sequence, Outgoing(queue, bytes(body), message_id, delay_seconds))
            for sequence, queue, message_id, body, delay_seconds in rows
        ]

    async def mark_published(self, sequences: Sequence[int]) -> None:
        """Delete the rows, and let go of the others."""
        connection = await self._connected()
        try:
            with explained(self._database.spec):
                async with asyncio.timeout(STATEMENT_SECONDS):
                    await connection.execute(_MARK, (list(sequences),))
                    await connection.commit()
        except BaseException:
            await self._disconnect()
            raise

    async def wait(self, timeout_seconds: float) -> None:
        """Until this process committed something to the outbox, or the time-out: others may have left something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._something_pending.wait()

    async def count(self) -> int:
        """Rows that wait, of all processes."""
        rows = await self._database.fetch(_COUNT)
        return int(rows[0][0])

    async def close(self) -> None:
        """Let go of what is locked. Idempotent."""
        await self._disconnect()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._database.spec, name="outbox")
            # A deletion that is lost means a message sent twice, which the receiver's inbox knows.
            await set_up(self._connection, Durability.PROCESS_CRASH)
            await self._connection.commit()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()
