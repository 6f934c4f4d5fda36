"""Keeping the store small: what nobody will ask for again is dropped."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from aicompany.errors import AICompanyError
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import EventStore

_INTERVAL_SECONDS = 3600.0
_INBOX_KEPT = timedelta(days=7)
"""No message is delivered again after so long: retries and replays have ids of their own."""
_MEASUREMENTS_KEPT = timedelta(days=90)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Once when the company starts, then every hour. Events stay for ever."""

    store: EventStore
    clock: Clock

    async def run(self) -> None:
        """Keep house until cancelled."""
        while True:
            now = self.clock.now()
            try:
                dropped = await self.store.forget(
                    handled_before=now - _INBOX_KEPT, measured_before=now - _MEASUREMENTS_KEPT
                )
                if dropped:
                    log.info("housekeeping.dropped", rows=dropped)
            except AICompanyError as error:
                log.warning("housekeeping.delayed", code=error.code, reason=error.message)
            await asyncio.sleep(_INTERVAL_SECONDS)
