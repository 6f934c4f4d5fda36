"""The outbox relay: carries committed messages from the store to the broker.

A row leaves the outbox only after the broker confirmed its message. When the process dies in between, the message
is published again and the receiver's inbox removes the double.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from aicompany.errors import PassingError, QueueFull
from aicompany.ports.broker import Broker
from aicompany.ports.event_store import Outbox, OutboxRow

_BATCH_ROWS = 500
_IDLE_SECONDS = 5.0
"""Looks again without a wake-up: the safety net for a lost one."""
_BLOCKED_SECONDS = 0.25
"""Pause after a full queue or a broker that is away."""

log = structlog.get_logger()


class OutboxRelay:
    """One loop; several may run on one store."""

    def __init__(self, outbox: Outbox, broker: Broker) -> None:
        self._outbox = outbox
        self._broker = broker
        self._full_queues: set[str] = set()

    async def run(self) -> None:
        """Carry until cancelled."""
        while True:
            try:
                blocked = await self._carry_batch()
            except PassingError as error:
                log.warning("relay.unavailable", code=error.code, reason=error.message)
                blocked = True
            if blocked is None:
                await self._outbox.wait(_IDLE_SECONDS)
            elif blocked:
                await asyncio.sleep(_BLOCKED_SECONDS)
                self._full_queues.clear()

    async def _carry_batch(self) -> bool | None:
        """Publish what is pending, but nothing for queues that are known to be full.

        `None`: there was nothing; true: all that is left is for full queues.
        """
        rows = await self._outbox.pending(_BATCH_ROWS, except_queues=self._full_queues)
        if not rows:
            return True if self._full_queues else None
        taken = await self._publish(rows)
        if taken:
            await self._outbox.mark_published([row.sequence for row in taken])
        return False

    async def _publish(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """All at once; when a queue refuses, queue by queue, so that the others are not held up."""
        try:
            await self._broker.publish([row.message for row in rows])
        except QueueFull:
            return await self._publish_by_queue(rows)
        return list(rows)

    async def _publish_by_queue(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        queues: dict[str, list[OutboxRow]] = defaultdict(list)
        for row in rows:
            queues[row.message.queue].append(row)
        taken: list[OutboxRow] = []
        for queue, share in queues.items():
            try:
                await self._broker.publish([row.message for row in share])
                taken += share
            except QueueFull:
                taken += await self._publish_while_it_fits(share)
                self._full_queues.add(queue)
                log.warning("relay.queue_full", queue=queue)
        return taken

    async def _publish_while_it_fits(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        taken: list[OutboxRow] = []
        for row in rows:
            try:
                await self._broker.publish([row.message])
            except QueueFull:
                break
            taken.append(row)
        return taken
