"""The ports of the event store on PostgreSQL, opened in order."""

import asyncio
from contextlib import AsyncExitStack

from aicompany.ports.clock import Clock
from aicompany.spec.servers import StoreSpec
from aicompany_desk.assembly.store_ports import StorePorts
from aicompany_workers.breakers import GuardedCalls
from aicompany_workers.store.postgres.database import PostgresDatabase
from aicompany_workers.store.postgres.event_store import PostgresEventStore
from aicompany_workers.store.postgres.migrations import migrate
from aicompany_workers.store.postgres.outbox import PostgresOutbox
from aicompany_workers.store.postgres.presence import PostgresPresence
from aicompany_workers.store.postgres.queries import PostgresQueries


async def open_postgres(spec: StoreSpec, clock: Clock, calls: GuardedCalls, stack: AsyncExitStack) -> StorePorts:
    """Migrated and connected. Raises `StateUnusable`, `StoreUnavailable`."""
    await asyncio.to_thread(migrate, spec)
    database = await PostgresDatabase(spec, clock, calls).open()
    stack.push_async_callback(database.close)
    store = PostgresEventStore(database)
    outbox = PostgresOutbox(database, store)
    stack.push_async_callback(outbox.close)
    return StorePorts(store, outbox, PostgresQueries(database, clock), PostgresPresence(database), is_shared=True)
