"""`ports.presence.Presence` on PostgreSQL. Time is the server's, so that no machine's clock matters."""

import json
from dataclasses import asdict
from datetime import UTC

from aicompany.ports.presence import Heartbeat, HeartbeatRecord
from aicompany_workers.store.postgres.database import PostgresDatabase

_BEAT = """
INSERT INTO heartbeats (process, at, body) VALUES (%(process)s, clock_timestamp(), %(body)s)
ON CONFLICT (process) DO UPDATE SET at = clock_timestamp(), body = excluded.body
"""
_LEAVE = "DELETE FROM heartbeats WHERE process = %s"
_PRESENT = "SELECT 1 FROM heartbeats WHERE process = %s AND at >= clock_timestamp() - %s * INTERVAL '1 second'"
_ALL = """
SELECT body, at FROM heartbeats WHERE at >= clock_timestamp() - %s * INTERVAL '1 second' ORDER BY process
"""
_CLAIM = """
INSERT INTO claims AS held (message_id, process, claimed_at) VALUES (%(message)s, %(process)s, clock_timestamp())
ON CONFLICT (message_id) DO UPDATE SET process = CASE
    WHEN EXISTS (
        SELECT 1 FROM heartbeats
        WHERE heartbeats.process = held.process AND at >= clock_timestamp() - %(silent)s * INTERVAL '1 second'
    ) THEN held.process
    ELSE excluded.process
END
RETURNING process
"""
_HOLDER = "SELECT process FROM claims WHERE message_id = %s"


class PostgresPresence:
    """Heartbeats and claims of all processes."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Note it."""
        values = {"process": heartbeat.process, "body": json.dumps(asdict(heartbeat))}
        await self._database.fetch(_BEAT, values)

    async def leave(self, process: str) -> None:
        """Forget it."""
        await self._database.fetch(_LEAVE, (process,))

    async def is_present(self, process: str, *, silent_seconds_max: float) -> bool:
        """By the server's clock."""
        return bool(await self._database.fetch(_PRESENT, (process, silent_seconds_max)))

    async def heartbeats(self, *, silent_seconds_max: float) -> list[HeartbeatRecord]:
        """Of those that are present."""
        rows = await self._database.fetch(_ALL, (silent_seconds_max,))
        return [HeartbeatRecord(Heartbeat(**json.loads(body)), at.astimezone(UTC)) for body, at in rows]

    async def claim(self, message_id: str, process: str, *, silent_seconds_max: float) -> str:
        """Take it, or tell who has it: one statement, so that of two at the same time one wins."""
        values = {"message": message_id, "process": process, "silent": silent_seconds_max}
        rows = await self._database.fetch(_CLAIM, values)
        return str(rows[0][0])

    async def holder(self, message_id: str) -> str | None:
        """Who claimed it last."""
        rows = await self._database.fetch(_HOLDER, (message_id,))
        return str(rows[0][0]) if rows else None
