"""Heartbeats: every few seconds a process says that it is alive, and how it is."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
import structlog

from aicompany.errors import AICompanyError
from aicompany.ports.clock import Clock
from aicompany.ports.presence import Heartbeat, Presence
from aicompany_workers.telemetry.load import WorkLoad

INTERVAL_SECONDS = 2.0
SILENT_SECONDS_MAX = 10.0
"""A process that was silent for so long is taken for dead, and its messages are anybody's."""
_LEAVE_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(slots=True)
class Heartbeats:
    """The heartbeats of this process; also knows for how long the store has been reachable."""

    presence: Presence
    clock: Clock
    process: str
    group: str
    load: Callable[[], WorkLoad]
    interval_seconds: float = INTERVAL_SECONDS
    _reachable_since: float | None = None
    _process: psutil.Process = field(default_factory=psutil.Process)

    @property
    def seen_seconds(self) -> float:
        """Since when the store has answered every heartbeat; 0 while it is away."""
        if self._reachable_since is None:
            return 0.0
        return self.clock.monotonic_seconds() - self._reachable_since

    async def run(self) -> None:
        """Beat until cancelled, then say goodbye: whoever goes in order has given everything back."""
        self._process.cpu_percent()
        try:
            while True:
                await self.beat()
                await asyncio.sleep(self.interval_seconds)
        finally:
            with suppress(AICompanyError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self.presence.leave(self.process)

    async def beat(self) -> None:
        """One heartbeat; a store that is away is noted, not raised."""
        try:
            await self.presence.beat(self._heartbeat())
        except AICompanyError as error:
            if self._reachable_since is not None:
                log.warning("heartbeat.unheard", code=error.code, reason=error.message)
            self._reachable_since = None
            return
        if self._reachable_since is None:
            self._reachable_since = self.clock.monotonic_seconds()

    def _heartbeat(self) -> Heartbeat:
        load = self.load()
        return Heartbeat(
            process=self.process,
            group=self.group,
            in_flight=load.in_flight,
            capacity=load.capacity,
            cpu_ratio=round(self._process.cpu_percent() / 100, 4),
            memory_bytes=self._process.memory_info().rss,
            error_ratio=load.failed / load.handled if load.handled else 0.0,
            response_seconds=load.busy_seconds / load.handled if load.handled else 0.0,
            complexity=load.complexity,
        )
