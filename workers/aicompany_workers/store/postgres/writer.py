"""The writer of a process: gathers changes that are committed at the same time into one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog

from aicompany.errors import AICompanyError, DefectError, StoreUnavailable
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import Change, EventRecord
from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.postgres.batch import Outcome, fits, write_batch
from aicompany_workers.store.postgres.connection import Connection, connect, set_up, unavailable

_BATCH_SECONDS = 40.0
_WAITING_MAX = 20_000
_CLOSE_SECONDS = 10.0

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Job:
    change: Change
    done: asyncio.Future[tuple[EventRecord, ...]]

    def settle(self, outcome: Outcome) -> None:
        """Tell whoever waits, if anybody still does."""
        if self.done.done():
            return
        if isinstance(outcome, AICompanyError):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class BatchWriter:
    """One task with one connection. While a batch is being written, the next one gathers."""

    def __init__(self, spec: StoreSpec, clock: Clock, *, connected: Callable[[int], None] = lambda _: None) -> None:
        self._spec = spec
        self._connected = connected
        self._clock = clock
        self._jobs: deque[_Job] = deque()
        self._something_waits = asyncio.Event()
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to write."""
        self._running = asyncio.create_task(self._run(), name="store-writer")

    async def commit(self, change: Change) -> tuple[EventRecord, ...]:
        """Store the change whole. Raises `AlreadyHandled`, `VersionConflict`, `StoreUnavailable`.

        A caller who is cancelled does not take back what was handed in.
        """
        if self._closing or self._running is None:
            raise StoreUnavailable("the store was closed")
        if len(self._jobs) >= _WAITING_MAX:
            raise StoreUnavailable(f"{_WAITING_MAX} changes wait for the store already")
        job = _Job(change, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._something_waits.set()
        return await job.done

    async def close(self) -> None:
        """Write what waits, then disconnect. Idempotent."""
        self._closing = True
        self._something_waits.set()
        if self._running is None:
            return
        running, self._running = self._running, None
        _, late = await asyncio.wait([running], timeout=_CLOSE_SECONDS)
        for task in late:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        try:
            while True:
                await self._something_waits.wait()
                if self._jobs:
                    await self._write_next()
                elif self._closing:
                    return
                else:
                    self._something_waits.clear()
        finally:
            for job in self._jobs:
                job.settle(StoreUnavailable("the store was closed"))
            await self._disconnect()

    async def _write_next(self) -> None:
        batch = self._take_batch()
        now = self._clock.now()
        try:
            async with asyncio.timeout(_BATCH_SECONDS):
                outcomes = await self._write(batch, now)
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
            # Whether it was committed is not known; who tries again learns it from the inbox.
            await self._disconnect()
            outcomes = [unavailable(self._spec, error)] * len(batch)
        except StoreUnavailable as error:
            outcomes = [error] * len(batch)
        except BaseException:
            for job in batch:
                job.settle(StoreUnavailable("the store was closed"))
            raise
        for job, outcome in zip(batch, outcomes, strict=True):
            job.settle(outcome)

    def _take_batch(self) -> list[_Job]:
        batch: list[_Job] = []
        messages: set[str] = set()
        while self._jobs and len(batch) < self._spec.batch_max and fits(self._jobs[0].change, messages):
            job = self._jobs.popleft()
            if job.change.handled_message_id is not None:
                messages.add(job.change.handled_message_id)
            batch.append(job)
        return batch

    async def _write(self, batch: list[_Job], now: datetime) -> list[Outcome]:
        if self._connection is None:
            self._connection = await connect(self._spec, name="writer", autocommit=True)
            await set_up(self._connection, self._spec.durability)
            self._connected(self._connection.info.backend_pid)
        try:
            return await write_batch(self._connection, [job.change for job in batch], now)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise
        except psycopg.Error as error:
            if len(batch) == 1:
                log.error("store.refused", reason=str(error))
                return [DefectError(f"PostgreSQL refuses the change ({type(error).__name__})")]
        # One of them cannot be stored at all; the others must not suffer for it.
        outcomes: list[Outcome] = []
        for job in batch:
            outcomes += await self._write([job], now)
        return outcomes

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()
