"""Event store and broker that the company's file names; SQLite and the embedded broker where it names none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aicompany.errors import DefectError, StoreUnavailable
from aicompany.ports.broker import Broker
from aicompany.ports.clock import Clock
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import CompanySpec
from aicompany.spec.servers import StoreSpec
from aicompany_desk.assembly.store_ports import StorePorts
from aicompany_workers.breakers import Breakers, GuardedCalls
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.compose import topology_of_company
from aicompany_workers.presence import LonePresence
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.store.sqlite.outbox import SqliteOutbox
from aicompany_workers.store.sqlite.queries import SqliteQueries
from aicompany_workers.store.state_directory import StateDirectory


@dataclass(frozen=True, slots=True)
class Servers:
    """What a company keeps its work in."""

    kept: StorePorts
    broker: Broker


@asynccontextmanager
async def open_servers(
    spec: CompanySpec, state: StateDirectory, clock: Clock, breakers: Breakers
) -> AsyncIterator[Servers]:
    """Migrated, connected, all queues declared.

    Raises `StateUnusable`, `StoreUnavailable`, `BrokerUnavailable`, `BrokerUnusable`.
    """
    async with AsyncExitStack() as stack:
        # Store and embedded broker share one file, and so one group of commits.
        needs_file = spec.store.url is None or spec.broker.url is None
        database = await _open_sqlite(spec.store, state, stack) if needs_file else None
        kept = await _open_store(spec, database, clock, breakers, stack)
        broker = await _open_broker(spec, database, clock, breakers, stack)
        await broker.declare(topology_of_company(spec))
        yield Servers(kept, broker)


@asynccontextmanager
async def open_store(spec: CompanySpec, state: StateDirectory, clock: Clock) -> AsyncIterator[StorePorts]:
    """The event store alone, migrated. Raises `StateUnusable`, `StoreUnavailable`."""
    async with AsyncExitStack() as stack:
        database = await _open_sqlite(spec.store, state, stack) if spec.store.url is None else None
        yield await _open_store(spec, database, clock, Breakers(), stack)


async def _open_sqlite(spec: StoreSpec, state: StateDirectory, stack: AsyncExitStack) -> SqliteDatabase:
    await asyncio.to_thread(migrate, state.store_file)
    database = await SqliteDatabase(state.store_file, durability=spec.durability).open()
    stack.push_async_callback(database.close)
    return database


async def _open_store(
    spec: CompanySpec, database: SqliteDatabase | None, clock: Clock, breakers: Breakers, stack: AsyncExitStack
) -> StorePorts:
    if spec.store.url is not None:
        # Loaded only when it is used: the driver costs memory and time.
        from aicompany_desk.assembly.postgres import open_postgres  # noqa: PLC0415 - see above

        calls = GuardedCalls("the event store", Breaker.of(spec.breakers.store), clock, failures=StoreUnavailable)
        breakers.watch("store", lambda: calls.breaker)
        return await open_postgres(spec.store, clock, calls, stack)
    if database is None:
        raise DefectError("the SQLite store has no file")
    store = SqliteEventStore(database, clock)
    outbox = SqliteOutbox(database, store)
    return StorePorts(store, outbox, SqliteQueries(database, clock), LonePresence(clock), is_shared=False)


async def _open_broker(
    spec: CompanySpec, database: SqliteDatabase | None, clock: Clock, breakers: Breakers, stack: AsyncExitStack
) -> Broker:
    broker: Broker
    if spec.broker.url is not None:
        from aicompany_workers.broker.rabbitmq.broker import RabbitMqBroker, guarded_broker  # noqa: PLC0415 - as above

        calls = guarded_broker(Breaker.of(spec.breakers.broker), clock)
        breakers.watch("broker", lambda: calls.breaker)
        broker = await RabbitMqBroker.open(spec.broker, calls)
    elif database is None:
        raise DefectError("the embedded broker has no file")
    else:
        broker = await EmbeddedBroker(database, clock).open()
    stack.push_async_callback(broker.close)
    return broker
