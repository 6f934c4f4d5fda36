"""`ports.event_store.Outbox` on SQLite, for the one process that owns the file."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress

from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import OutboxRow
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore

_PENDING = "SELECT sequence, queue, message_id, body, due_at FROM outbox ORDER BY sequence LIMIT ?"
_PENDING_EXCEPT = """
SELECT sequence, queue, message_id, body, due_at FROM outbox WHERE queue NOT IN ({marks}) ORDER BY sequence LIMIT ?
"""


class SqliteOutbox:
    """Messages on their way to the broker."""

    def __init__(self, database: SqliteDatabase, store: SqliteEventStore) -> None:
        self._database = database
        self._store = store
        self._something_pending = asyncio.Event()
        self._something_pending.set()
        store.on_outgoing(self._something_pending.set)

    async def pending(self, limit: int, *, except_queues: Collection[str] = ()) -> list[OutboxRow]:
        """The oldest rows, those for `except_queues` left out."""
        self._something_pending.clear()
        marks = ", ".join("?" for _ in except_queues)
        statement = _PENDING_EXCEPT.format(marks=marks) if except_queues else _PENDING
        rows = await self._database.read(lambda c: c.execute(statement, (*except_queues, limit)).fetchall())
        now = self._store.steady_now()
        return [
            OutboxRow(sequence, Outgoing(queue, body, message_id, max(0.0, due_at - now) if due_at else 0.0))
            for sequence, queue, message_id, body, due_at in rows
        ]

    async def mark_published(self, sequences: Sequence[int]) -> None:
        """Delete the rows."""
        values = [(sequence,) for sequence in sequences]
        await self._database.write(lambda c: c.executemany("DELETE FROM outbox WHERE sequence = ?", values) and None)

    async def wait(self, timeout_seconds: float) -> None:
        """Until something was committed to the outbox, or the time-out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._something_pending.wait()

    async def count(self) -> int:
        """Rows that wait."""
        row = await self._database.read(lambda c: c.execute("SELECT count(*) FROM outbox").fetchone())
        return int(row[0])
