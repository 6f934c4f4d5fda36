"""The event store and the embedded broker on this disk."""

import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from aicompany.messaging.topology import QueueLimits, Topology
from aicompany.ports.broker import Delivery, Outgoing
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, NewEvent
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from bench.figures import figure, heading, progress

SUBMITTED = NewEvent(
    "task_submitted",
    '{"title":"t","prompt":"write something","kind":"writing","lane":"normal","lane_reason":"nothing says otherwise"}',
)
STARTED = NewEvent("task_started", '{"worker":"w","attempt":1}')
ANSWERED = NewEvent("model_answered", '{"answer":{"usage":{"input_tokens":100,"output_tokens":20}},"call":1}')
COMPLETED = NewEvent("task_completed", '{"result":"' + "word " * 40 + '"}')
EVENTS = (SUBMITTED, *(STARTED, ANSWERED) * 4, COMPLETED)
MILLION = 1_000_000


def of_task(number: int) -> Change:
    return Change(appends=(Append(AggregateRef(AggregateType.TASK, f"{number:026d}"), 0, EVENTS),))


async def appends(store: SqliteEventStore) -> None:
    tasks = 3000
    started = time.perf_counter()
    for first in range(0, tasks, 200):
        await asyncio.gather(*(store.commit(of_task(n)) for n in range(first, first + 200)))
    rate = tasks * len(EVENTS) / (time.perf_counter() - started)
    figure("append, batched (10 events a change, 200 at once)", "≥ 10,000/s", f"{rate:,.0f}/s")
    count = 3000
    started = time.perf_counter()
    for n in range(count):
        append = Append(AggregateRef(AggregateType.TASK, f"s{n:025d}"), 0, (SUBMITTED,))
        await store.commit(Change(appends=(append,)))
    figure(
        "single commits, one after another, forced to disk",
        "≥ 1,000/s",
        f"{count / (time.perf_counter() - started):,.0f}/s",
    )


async def a_million(store: SqliteEventStore) -> None:
    tasks = MILLION // len(EVENTS)
    started = time.perf_counter()
    for first in range(100_000, 100_000 + tasks, 500):
        await asyncio.gather(*(store.commit(of_task(n)) for n in range(first, min(first + 500, 100_000 + tasks))))
        progress(f"{(first - 100_000) * len(EVENTS):,} of {MILLION:,} events")
    progress("")
    figure("1,000,000 events written", "-", f"{time.perf_counter() - started:.0f} s")
    times = []
    for _ in range(2000):
        task = f"{random.randrange(100_000, 100_000 + tasks):026d}"
        started = time.perf_counter()
        assert len(await store.read(AggregateRef(AggregateType.TASK, task))) == len(EVENTS)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    figure("read one task of 1,000,000 events, p50", "-", f"{statistics.median(times):.2f} ms")
    figure("read one task of 1,000,000 events, p99", "-", f"{times[int(len(times) * 0.99)]:.2f} ms")


async def messages(database: SqliteDatabase) -> None:
    broker = await EmbeddedBroker(database, SystemClock()).open()
    await broker.declare(Topology(("work",), QueueLimits(length_max=100_000)))
    count, done, all_done = 20_000, 0, asyncio.Event()

    def receive(delivery: Delivery) -> None:
        nonlocal done
        done += 1
        acks.append(asyncio.get_running_loop().create_task(broker.ack(delivery)))
        if done == count:
            all_done.set()

    acks: list[asyncio.Task[None]] = []
    await broker.subscribe("work", prefetch=100, receive=receive)
    started = time.perf_counter()
    for first in range(0, count, 100):
        await broker.publish([Outgoing("work", b"x" * 300, f"m{n}") for n in range(first, first + 100)])
    await all_done.wait()
    await asyncio.gather(*acks)
    await broker.close()
    figure("messages published, delivered and acknowledged", "-", f"{count / (time.perf_counter() - started):,.0f}/s")


async def main() -> None:
    heading(f"event store and embedded broker, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "company.db"
        migrate(path)
        database = await SqliteDatabase(path).open()
        store = SqliteEventStore(database, SystemClock())
        await appends(store)
        await messages(database)
        await a_million(store)
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
