"""What the embedded broker writes: inserts that are waited for, and small notes that are written in passing."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from aicompany.errors import AICompanyError
from aicompany_workers.store.sqlite.database import SqliteDatabase

_INSERT = """
INSERT INTO queue_messages (
    sequence, queue, message_id, body, due_at, published_at, delivery_count, reason, source_queue
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM queue_messages WHERE sequence = ?"
_COUNT = "UPDATE queue_messages SET delivery_count = ? WHERE sequence = ?"
_PAUSE_SECONDS = 1.0
_STOP_SECONDS = 10.0

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class StoredMessage:
    """A message as a row; times are seconds since the epoch, `due_at` 0 for one that was never delayed."""

    sequence: int
    queue: str
    message_id: str
    body: bytes
    due_at: float
    published_at: float
    delivery_count: int = 0
    reason: str | None = None
    source_queue: str | None = None
    is_from_before: bool = False
    """Read from the file when the broker opened: it may have been handed out without that being noted."""

    @property
    def row(self) -> tuple[object, ...]:
        """The values of its row."""
        return (
            self.sequence, self.queue, self.message_id, self.body, self.due_at, self.published_at,
            self.delivery_count, self.reason, self.source_queue,
        )  # fmt: skip


class Journal:
    """Writes the broker's rows. `start` and `stop` own the task that writes the notes."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._deleted: list[int] = []
        self._counted: dict[int, int] = {}
        self._noted = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write notes."""
        self._writing = asyncio.create_task(self._write_until_cancelled(), name="broker-journal")

    async def stop(self) -> None:
        """Write what is noted and end. What cannot be written means redeliveries after the next start."""
        if self._writing is None:
            return
        self._writing.cancel()
        with suppress(asyncio.CancelledError):
            await self._writing
        self._writing = None
        with suppress(AICompanyError, TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._write_notes()

    async def insert(self, messages: Sequence[StoredMessage]) -> None:
        """Store new messages, all or none."""
        rows = [message.row for message in messages]
        await self._database.write(lambda c: c.executemany(_INSERT, rows) and None)

    async def replace(self, old: StoredMessage, new: StoredMessage) -> None:
        """Remove one and store another, in one step."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_DELETE, (old.sequence,))
            connection.execute(_INSERT, new.row)

        await self._database.write(work)

    def delete(self, message: StoredMessage) -> None:
        """Note that a message is done."""
        self._counted.pop(message.sequence, None)
        self._deleted.append(message.sequence)
        self._noted.set()

    def count_delivery(self, message: StoredMessage) -> None:
        """Note how often a message was handed out."""
        self._counted[message.sequence] = message.delivery_count
        self._noted.set()

    async def _write_until_cancelled(self) -> None:
        while True:
            await self._noted.wait()
            try:
                await self._write_notes()
            except AICompanyError as error:
                log.warning("broker.journal_delayed", code=error.code, reason=error.message)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _write_notes(self) -> None:
        self._noted.clear()
        deleted, self._deleted = self._deleted, []
        counted, self._counted = self._counted, {}
        if not deleted and not counted:
            return

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_COUNT, [(count, sequence) for sequence, count in counted.items()])
            connection.executemany(_DELETE, [(sequence,) for sequence in deleted])

        try:
            await self._database.write(work)
        except AICompanyError:
            # Put back, so that the notes are written once the disk takes them.
            self._deleted = deleted + self._deleted
            self._counted = counted | self._counted
            self._noted.set()
            raise
