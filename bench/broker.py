"""RabbitMQ under our worker: `python -m bench.broker`. Prints each figure beside its goal.

"Store off" is the worker as it is (intake, envelopes, handling, settlement) with a stand-in for the store that keeps
nothing; the race against other libraries is `python -m bench.peers`.
"""

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry
from tests.servers.postgres import postgres_server
from tests.servers.rabbitmq import RabbitServer, rabbitmq_server

from aicompany.errors import BrokerUnavailable
from aicompany.ids import message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import QueueLimits, Topology, lane_queues
from aicompany.ports.broker import Broker, Outgoing
from aicompany.ports.cluster import WorkerGroup
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, EventRecord, NewEvent
from aicompany.resilience.retry import RetryPolicy
from aicompany.spec.servers import BrokerSpec, QueueType, StoreSpec
from aicompany_workers.broker.rabbitmq.broker import RabbitMqBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.presence import LonePresence
from aicompany_workers.runtime.claims import AlwaysSeen, Claims
from aicompany_workers.runtime.effects import Effects
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.handling import Handling
from aicompany_workers.runtime.lane_intake import LaneIntake
from aicompany_workers.runtime.role import Message
from aicompany_workers.runtime.worker import Worker
from aicompany_workers.store.postgres.database import PostgresDatabase
from aicompany_workers.store.postgres.event_store import PostgresEventStore
from aicompany_workers.store.postgres.migrations import migrate
from aicompany_workers.telemetry.metrics import WorkerMetrics
from bench.figures import figure, heading

MESSAGES = 20_000
STORED = 5_000
IN_FLIGHT = 100
RECONNECTS = 1000
PACED = 1000
PACED_PER_SECOND = 200
ROUNDS = 3
GROUP = WorkerGroup("task", "bench")


@dataclass(slots=True)
class NoStore:
    """What is left of the store when it is off: nothing is known, everything is taken."""

    async def commit(self, change: Change) -> tuple[EventRecord, ...]:
        return ()

    async def is_handled(self, message_id: str) -> bool:
        return False


@dataclass(slots=True)
class NoOp:
    """A role that does nothing, and leaves one event when it is told to."""

    events: bool
    name: str = "task"
    handled: int = 0
    latencies: list[float] = field(default_factory=list)

    async def process_message(self, message: Message) -> Effects:
        self.handled += 1
        sent_at = message.envelope.details.get("at")
        if sent_at is not None:
            self.latencies.append(time.time() - sent_at)
        if not self.events:
            return Effects()
        aggregate = AggregateRef(AggregateType.TASK, message.envelope.task_id)
        return Effects((Append(aggregate, 0, (NewEvent("tools_used", '{"call": 1}'),)),))


def outgoing(number: int, **details: float) -> Outgoing:
    queue = lane_queues(GROUP.role, agent=GROUP.agent)[Lane.NORMAL]
    task_id = f"t{number}"
    envelope = Envelope(
        id=message_id_of(Purpose.RUN_STEP, task_id), purpose=Purpose.RUN_STEP, task_id=task_id,
        lane=Lane.NORMAL, agent=GROUP.agent, trace_id="0" * 32, details=details,
    )  # fmt: skip
    return Outgoing(queue, envelope.to_json(), envelope.id)


def worker_of(broker: Broker, store, role, *, in_flight: int = IN_FLIGHT) -> Worker:
    clock = SystemClock()
    queues = lane_queues(GROUP.role, agent=GROUP.agent)
    handling = Handling(
        worker="bench", role=role, store=store, broker=broker, failing=Failing(store),
        claims=Claims(LonePresence(clock), "bench", AlwaysSeen(), 10), retry_policy=RetryPolicy(),
        observer=WorkerMetrics(CollectorRegistry()),
    )  # fmt: skip
    intake = LaneIntake(broker, queues, prefetch=in_flight, low_share=10)
    return Worker("bench", GROUP, intake=intake, handling=handling, concurrency=in_flight, drain_seconds=30)


@asynccontextmanager
async def open_broker(server: RabbitServer, queue_type: QueueType, vhost: str) -> AsyncIterator[RabbitMqBroker]:
    url = server.add_vhost(vhost)
    broker = await RabbitMqBroker.open(BrokerSpec(url=url, queue_type=queue_type))
    limits = QueueLimits(length_max=100_000)
    await broker.declare(Topology(tuple(lane_queues(GROUP.role, agent=GROUP.agent).values()), limits))
    try:
        yield broker
    finally:
        await broker.close()
        server.delete_vhost(vhost)


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(worker.run())
        yield
        worker.drain()
        await life


async def until(happened: Callable[[], bool], *, within_seconds: float = 120) -> None:
    async with asyncio.timeout(within_seconds):
        while not happened():
            await asyncio.sleep(0.001)


async def publish_all(broker: Broker, count: int) -> None:
    for start in range(0, count, 500):
        await broker.publish([outgoing(number) for number in range(start, min(start + 500, count))])


async def consume(broker: Broker, store, count: int, *, events: bool) -> tuple[float, float]:
    """Tasks per second, and milliseconds of CPU per task; all are queued before the worker begins."""
    await publish_all(broker, count)
    role = NoOp(events)
    worker = worker_of(broker, store, role)
    process = psutil.Process()
    gc.collect()
    cpu = sum(process.cpu_times()[:2])
    started = time.perf_counter()
    async with at_work(worker):
        await until(lambda: role.handled >= count and worker.in_flight == 0)
        seconds = time.perf_counter() - started
        spent = sum(process.cpu_times()[:2]) - cpu
    return count / seconds, spent / count * 1000


async def store_off(server: RabbitServer) -> None:
    rates: dict[QueueType, list[float]] = {QueueType.CLASSIC: [], QueueType.QUORUM: []}
    spent: list[float] = []
    for number in range(ROUNDS):
        for queue_type in (QueueType.CLASSIC, QueueType.QUORUM):
            async with open_broker(server, queue_type, f"off-{number}-{queue_type.value}") as broker:
                rate, cpu = await consume(broker, NoStore(), MESSAGES, events=False)
            rates[queue_type].append(rate)
            spent.append(cpu)
    classic, quorum = (statistics.median(rates[kind]) for kind in (QueueType.CLASSIC, QueueType.QUORUM))
    figure("no-op tasks/s, store off, classic queues", "see the race", f"{classic:,.0f}")
    figure("no-op tasks/s, store off, quorum queues", "≥ 90 % classic", f"{quorum:,.0f} ({quorum / classic:.0%})")
    figure("CPU per task, store off", "≤ 0.13 ms", f"{statistics.median(spent):.3f} ms")


@asynccontextmanager
async def open_store(directory: Path) -> AsyncIterator[PostgresEventStore]:
    server = postgres_server(directory)
    server.start()
    try:
        spec = StoreSpec(url=server.url)
        migrate(spec)
        database = await PostgresDatabase(spec, SystemClock()).open()
        try:
            yield PostgresEventStore(database)
        finally:
            await database.close()
    finally:
        server.end()


async def store_on(server: RabbitServer, store: PostgresEventStore) -> None:
    async with open_broker(server, QueueType.QUORUM, "on") as broker:
        rate, cpu = await consume(broker, store, STORED, events=True)
    figure("no-op tasks/s, quorum, confirms, late ack, PostgreSQL", "≥ 1,000", f"{rate:,.0f}")
    figure("CPU per task, store on", "", f"{cpu:.3f} ms")


async def order_to_start(server: RabbitServer) -> None:
    role = NoOp(events=False)
    async with open_broker(server, QueueType.QUORUM, "paced") as broker:
        async with at_work(worker_of(broker, NoStore(), role)), asyncio.TaskGroup() as tasks:
            started = time.perf_counter()
            for number in range(PACED):
                due = started + number / PACED_PER_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(broker.publish([outgoing(number, at=time.time())]))
            await until(lambda: role.handled == PACED)
    taken = sorted(role.latencies)
    p50, p99 = taken[len(taken) // 2] * 1000, taken[int(len(taken) * 0.99)] * 1000
    figure(f"publishing to handler start at {PACED_PER_SECOND}/s, p50", "≤ 5 ms", f"{p50:.1f} ms")
    figure(f"publishing to handler start at {PACED_PER_SECOND}/s, p99", "≤ 30 ms", f"{p99:.1f} ms")


async def reconnects(server: RabbitServer) -> None:
    async with open_broker(server, QueueType.QUORUM, "cut") as broker:
        role = NoOp(events=False)
        async with at_work(worker_of(broker, NoStore(), role)):
            await reconnect(broker, 50)
            gc.collect()
            before = psutil.Process().memory_info().rss
            started = time.perf_counter()
            await reconnect(broker, RECONNECTS)
            seconds = time.perf_counter() - started
            gc.collect()
            grown = psutil.Process().memory_info().rss - before
    figure(f"growth over {RECONNECTS:,} reconnects", "< 2 MB", f"{grown / 1e6:.2f} MB")
    figure("one reconnect, all consumers back", "", f"{seconds / RECONNECTS * 1000:.0f} ms")


async def reconnect(broker: RabbitMqBroker, times: int) -> None:
    """Cut both connections, and wait until everything is consumed again."""
    for _ in range(times):
        for link in broker._links:
            link.cut()
        await until(lambda: not any(link.is_up for link in broker._links), within_seconds=10)
        await until(broker.is_consuming, within_seconds=10)


async def after_a_restart(server: RabbitServer) -> None:
    async with open_broker(server, QueueType.QUORUM, "restart") as broker:
        role = NoOp(events=False)
        async with at_work(worker_of(broker, NoStore(), role)):
            await asyncio.to_thread(server.restart)
            answered = time.perf_counter()
            await until(broker.is_consuming, within_seconds=30)
            number = 0
            while not role.handled:
                try:
                    await broker.publish([outgoing(number)])
                except BrokerUnavailable:
                    continue
                await until(lambda: bool(role.handled), within_seconds=10)
            seconds = time.perf_counter() - answered
    figure("consuming again after the broker answers", "≤ 2 s", f"{seconds:.2f} s")


async def main() -> None:
    heading("RabbitMQ under the worker")
    with tempfile.TemporaryDirectory() as place:
        directories = {name: Path(place, name) for name in ("rabbitmq", "postgres")}
        for directory in directories.values():
            directory.mkdir()
        server = rabbitmq_server(directories["rabbitmq"])
        server.start()
        try:
            await store_off(server)
            async with open_store(directories["postgres"]) as store:
                await store_on(server, store)
            await order_to_start(server)
            await after_a_restart(server)
            await reconnects(server)
        finally:
            server.end()


if __name__ == "__main__":
    asyncio.run(main())
