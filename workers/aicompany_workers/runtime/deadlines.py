"""Deadlines: tells the PM of orders that should be done by now.

A message delayed until the deadline would sit in a queue for every order; an index over what has not ended costs
nothing until it is due.
"""

import asyncio
from dataclasses import dataclass

import structlog

from aicompany.errors import AICompanyError
from aicompany.ids import TaskId, message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.ports.clock import Clock, IdSource
from aicompany.ports.event_store import Change, CompanyQueries, EventStore
from aicompany_workers.runtime.effects import outgoing_of

_INTERVAL_SECONDS = 1.0
_BATCH = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeadlineWatch:
    """Looks once a second; each overdue order is told once; over a restart, the inbox knows doubles."""

    store: EventStore
    queries: CompanyQueries
    clock: Clock
    ids: IdSource

    async def run(self) -> None:
        """Watch until cancelled."""
        told: set[str] = set()
        while True:
            try:
                # Those that were told and have not ended yet must not hide the others behind the limit.
                overdue = await self.queries.overdue(self.clock.now(), limit=len(told) + _BATCH)
                for order in overdue:
                    if order not in told:
                        await self._tell(TaskId(order))
                told = set(overdue)
            except AICompanyError as error:
                log.warning("deadlines.unavailable", code=error.code, reason=error.message)
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def _tell(self, order: TaskId) -> None:
        envelope = Envelope(
            id=message_id_of(Purpose.ORDER_DUE, order),
            purpose=Purpose.ORDER_DUE,
            task_id=order,
            lane=Lane.HIGH,
            trace_id=self.ids.new_trace_id(),
        )
        await self.store.commit(Change(outgoing=(outgoing_of(envelope),)))
