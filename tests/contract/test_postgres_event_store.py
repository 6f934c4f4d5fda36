"""The PostgreSQL adapter keeps the contract on a real server."""

import pytest
from tests.contract.event_store import EventStoreContract, Kept

from aicompany.spec.servers import StoreSpec
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.postgres.database import PostgresDatabase
from aicompany_workers.store.postgres.event_store import PostgresEventStore
from aicompany_workers.store.postgres.migrations import migrate
from aicompany_workers.store.postgres.outbox import PostgresOutbox
from aicompany_workers.store.postgres.queries import PostgresQueries


@pytest.fixture
async def kept(postgres_url):
    spec = StoreSpec(url=postgres_url)
    migrate(spec)
    database = await PostgresDatabase(spec, SystemClock()).open()
    store = PostgresEventStore(database)
    outbox = PostgresOutbox(database, store)
    yield Kept(store, outbox, PostgresQueries(database, SystemClock()))
    await outbox.close()
    await database.close()


class TestPostgresEventStore(EventStoreContract):
    pass
