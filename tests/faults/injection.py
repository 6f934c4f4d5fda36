"""Carrying a fault out, and setting right again what it broke."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tests.faults.evidence import Disturbance
from tests.faults.load import CRITICAL, Load
from tests.faults.model_api import LedgerApi, Trouble
from tests.faults.processes import Fleet
from tests.faults.proxy import FaultyProxy
from tests.faults.schedule import Fault, Kind, Server
from tests.servers.rabbitmq import RabbitServer
from tests.servers.server import Server as RealServer
from tests.waiting import eventually

_LATENCY_SECONDS = {Server.BROKER: 0.1, Server.STORE: 0.05, Server.CACHE: 0.4, Server.MODEL: 0.3}
"""The cache is slower than its time-out allows, so that it counts as gone."""
_CLOCK_JUMP_SECONDS = 3600
_IDLE_SECONDS = 20.0
_DECLARED_SECONDS = 60.0
_TROUBLE_OF = {
    Kind.RATE_LIMITED: Trouble.RATE_LIMITED,
    Kind.OVERLOADED: Trouble.OVERLOADED,
    Kind.HANGING: Trouble.HANGING,
    Kind.CUT: Trouble.CUT,
}


class Broker(Protocol):
    """What faults need of the broker besides stopping it."""

    def copies(self) -> int:
        """Publish what was published lately once more; how many messages."""

    def delete(self, queue: str) -> None:
        """Delete a queue with all that is in it."""

    def held(self, queue: str) -> int | None:
        """Messages that wait in a queue; `None` when there is no such queue."""

    def delivered(self, task_ids: list[str]) -> bool:
        """Whether these orders have ended and their requesters were told."""


@dataclass(frozen=True, slots=True)
class Injected:
    """What became of a fault."""

    fault: Fault
    took_seconds: float
    note: str = ""
    failed: bool = False
    """Whether it could not be carried out, which is the checker's own fault."""


@dataclass(slots=True)
class Injector:
    """Has all that faults are done to."""

    fleet: Fleet
    load: Load
    api: LedgerApi
    proxies: Mapping[str, FaultyProxy]
    servers: Mapping[str, RealServer]
    broker: Broker | None
    idle_queues: tuple[str, ...]
    """Queues of the critical lane, which may be deleted while that lane is empty."""
    chance: random.Random
    injected: list[Injected]
    disturbances: list[Disturbance]
    _held: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By target: what is done to a server itself waits for what was begun with it."""

    async def run(self, faults: tuple[Fault, ...]) -> None:
        """Each at its time, beside each other where they last; returns when the last is over and all is well."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with asyncio.TaskGroup() as running:
            for fault in faults:
                await asyncio.sleep(started + fault.at_seconds - loop.time())
                running.create_task(self._carry_out(fault))

    async def _carry_out(self, fault: Fault) -> None:
        begun = time.monotonic()
        try:
            note = await self._do(fault)
        except Exception as error:  # noqa: BLE001 - the run goes on, and fails in the end because of it
            took_seconds = time.monotonic() - begun
            self.injected.append(Injected(fault, took_seconds, f"{type(error).__name__}: {error}", failed=True))
        else:
            self.injected.append(Injected(fault, time.monotonic() - begun, note))

    async def _do(self, fault: Fault) -> str:
        match fault.kind:
            case Kind.RESET | Kind.LATENCY | Kind.HALF_OPEN | Kind.REFUSE:
                return await self._disturb(fault)
            case Kind.RESTART | Kind.STOP | Kind.SERVER_KILLED:
                async with self._held[fault.target]:
                    return await self._down(fault)
            case Kind.MEMORY_ALARM | Kind.DISK_ALARM:
                async with self._held[fault.target]:
                    return await self._alarm(fault)
            case Kind.QUEUE_DELETED:
                async with self._held[fault.target], self._held[Server.STORE]:
                    return await self._delete_queue()
            case Kind.DUPLICATE:
                assert self.broker is not None
                async with self._held[fault.target], self._held[Server.STORE]:
                    return f"{await asyncio.to_thread(self.broker.copies)} messages"
            case Kind.KILL:
                seat = self.chance.choice(self.fleet.seats_of(fault.target))
                self.fleet.kill(seat)
                return seat.name
            case Kind.TERMINATE:
                seat = self.chance.choice(self.fleet.seats_of(fault.target))
                await self.fleet.terminate(seat)
                return seat.name
            case Kind.CLOCK:
                return await self._jump(fault)
            case Kind.RATE_LIMITED | Kind.OVERLOADED | Kind.HANGING | Kind.CUT:
                self.api.trouble = _TROUBLE_OF[fault.kind]
                await asyncio.sleep(fault.seconds)
                self.api.trouble = None
                return ""

    async def _disturb(self, fault: Fault) -> str:
        proxy = self.proxies[fault.target]
        begun = time.monotonic()
        note = f"{proxy.connections} connections"
        match fault.kind:
            case Kind.RESET:
                proxy.reset()
            case Kind.LATENCY:
                proxy.delay(_LATENCY_SECONDS[Server(fault.target)])
            case Kind.HALF_OPEN:
                proxy.silence()
            case _:
                await proxy.refuse()
        await asyncio.sleep(fault.seconds)
        await proxy.resume()
        if fault.target == Server.MODEL and fault.kind is not Kind.LATENCY:
            self.disturbances.append(Disturbance(begun, time.monotonic()))
        return note

    async def _down(self, fault: Fault) -> str:
        server = self.servers[fault.target]
        begun = time.monotonic()
        await asyncio.to_thread(server.kill if fault.kind is Kind.SERVER_KILLED else server.stop)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(server.start)
        return f"away for {time.monotonic() - begun:.1f} s"

    async def _alarm(self, fault: Fault) -> str:
        rabbit = self.servers[Server.BROKER]
        assert isinstance(rabbit, RabbitServer)
        low: tuple[str, ...]
        usual: tuple[str, ...]
        if fault.kind is Kind.MEMORY_ALARM:
            setting, low, usual = "set_vm_memory_high_watermark", ("absolute", "1MB"), ("absolute", "2GB")
        else:
            setting, low, usual = "set_disk_free_limit", ("1000GB",), ("50MB",)
        await asyncio.to_thread(rabbit.control, setting, *low)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            await asyncio.to_thread(rabbit.control, setting, *usual)
        return ""

    async def _delete_queue(self) -> str:
        """Only an empty one: nothing goes through its lane meanwhile, so the fault itself loses no message."""
        broker = self.broker
        assert broker is not None
        queue = self.chance.choice(self.idle_queues)
        async with self._lane_closed(CRITICAL) as is_idle:
            if not is_idle:
                return f"{queue} was never idle and stays"
            if await asyncio.to_thread(broker.held, queue) != 0:
                return f"{queue} holds something and stays"
            await asyncio.to_thread(broker.delete, queue)
            begun = time.monotonic()

            async def is_back() -> bool:
                return await asyncio.to_thread(broker.held, queue) is not None

            await eventually(is_back, within_seconds=_DECLARED_SECONDS, every_seconds=0.1)
            return f"{queue}, back after {time.monotonic() - begun:.1f} s"

    @asynccontextmanager
    async def _lane_closed(self, lane: str) -> AsyncIterator[bool]:
        self.load.lanes_closed.add(lane)
        broker = self.broker
        assert broker is not None

        async def is_idle() -> bool:
            orders = self.load.orders_in(lane)
            if not all(order.accepted for order in orders):
                return False
            return await asyncio.to_thread(broker.delivered, [order.task_id or "" for order in orders])

        try:
            try:
                await eventually(is_idle, within_seconds=_IDLE_SECONDS, every_seconds=0.2)
            except AssertionError:
                yield False
            else:
                yield True
        finally:
            self.load.lanes_closed.discard(lane)

    async def _jump(self, fault: Fault) -> str:
        seats = [seat for seat in self.fleet.seats_of(fault.target) if seat.has_own_clock]
        seat, seconds = self.chance.choice(seats), self.chance.choice((1, -1)) * _CLOCK_JUMP_SECONDS
        self.fleet.set_clock(seat, seconds)
        await asyncio.sleep(fault.seconds)
        self.fleet.set_clock(seat, 0)
        return f"{seat.name} by {seconds:+d} s"
