"""A worker: takes messages of its role, as many at a time as it may, until it is asked to drain."""

import asyncio
from contextlib import suppress

import structlog

from aicompany.ports.broker import Delivery
from aicompany.ports.cluster import WorkerGroup
from aicompany_workers.runtime.handling import Handling
from aicompany_workers.runtime.lane_intake import LaneIntake

log = structlog.get_logger()


class Worker:
    """Runs one role for one group. `run` is its life; `drain` ends it without interrupting anything."""

    def __init__(
        self,
        name: str,
        group: WorkerGroup,
        *,
        intake: LaneIntake,
        handling: Handling,
        concurrency: int,
        drain_seconds: float,
    ) -> None:
        self.name = name
        self.group = group
        self._intake = intake
        self._handling = handling
        self._places = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._drain_seconds = drain_seconds
        self._draining = asyncio.Event()
        self._fault: BaseException | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._unbegun: dict[int, Delivery] = {}
        """Taken, but their handling has not had its first turn: a task that is cancelled before never runs at all."""

    def __repr__(self) -> str:
        state = "draining" if self._draining.is_set() else "open" if self._intake.is_open else "closed"
        return f"<Worker {self.name} {state}, {self.in_flight} of {self._concurrency} in flight>"

    @property
    def concurrency(self) -> int:
        """Messages it works on at most."""
        return self._concurrency

    @property
    def in_flight(self) -> int:
        """Messages it works on."""
        return len(self._in_flight)

    @property
    def is_ready(self) -> bool:
        """Whether it takes messages."""
        return self._intake.is_open and not self._draining.is_set()

    def drain(self) -> None:
        """Take nothing more; `run` returns when what is in flight is done or the drain time is over."""
        self._draining.set()

    def crash(self) -> None:
        """Break, as a bug in the runtime would; for tests of what follows."""
        self._fault = RuntimeError(f"worker {self.name} was broken on purpose")
        self._draining.set()

    async def run(self) -> None:
        """Work until drained or cancelled. Whatever it holds in the end goes back to the queues."""
        await self._intake.open()
        log.info("worker.ready", worker=self.name, group=str(self.group), concurrency=self._concurrency)
        try:
            async with asyncio.TaskGroup() as tasks:
                taking = tasks.create_task(self._take_until_cancelled(tasks))
                await self._draining.wait()
                if self._fault is not None:
                    raise self._fault
                await _end(taking)
                await asyncio.shield(self._intake.close())
                await self._finish()
        finally:
            await asyncio.shield(self._let_go())
            log.info("worker.stopped", worker=self.name)

    async def _let_go(self) -> None:
        """Give back everything that nobody here will begin."""
        await self._intake.close()
        while self._unbegun:
            _, delivery = self._unbegun.popitem()
            await self._intake.give_back(delivery)

    async def _take_until_cancelled(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._places.acquire()
            try:
                delivery = await self._intake.take()
            except BaseException:
                self._places.release()
                raise
            self._unbegun[delivery.tag] = delivery
            handling = tasks.create_task(self._handle(delivery))
            self._in_flight.add(handling)
            handling.add_done_callback(self._in_flight.discard)

    async def _handle(self, delivery: Delivery) -> None:
        self._unbegun.pop(delivery.tag, None)
        try:
            await self._handling.handle(delivery)
        finally:
            self._places.release()

    async def _finish(self) -> None:
        """Wait for what is in flight; what takes longer than the drain time is given back."""
        if not self._in_flight:
            return
        _, late = await asyncio.wait(self._in_flight, timeout=self._drain_seconds)
        for handling in late:
            handling.cancel()
        if late:
            log.warning("worker.drain_over", worker=self.name, given_back=len(late))
            await asyncio.wait(late)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
