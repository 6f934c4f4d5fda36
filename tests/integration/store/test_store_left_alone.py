"""A store that its breaker leaves alone is, to those who ask it, a store that is away: the port knows no other word."""

import asyncio

import pytest

from aicompany.errors import StoreUnavailable
from aicompany.ports.event_store import AggregateRef, AggregateType, Change
from aicompany.resilience.breaker import Breaker
from aicompany.spec.servers import StoreSpec
from aicompany_workers.breakers import GuardedCalls
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.postgres.database import PostgresDatabase
from aicompany_workers.store.postgres.event_store import PostgresEventStore
from aicompany_workers.store.postgres.migrations import migrate

FAILURES_MAX = 3


@pytest.fixture
async def guarded(postgres_url):
    """The store and the breaker before it."""
    spec = StoreSpec(url=postgres_url)
    await asyncio.to_thread(migrate, spec)
    breaker = Breaker(failures_max=FAILURES_MAX, open_seconds=3600)
    calls = GuardedCalls("the event store", breaker, SystemClock(), failures=StoreUnavailable)
    database = await PostgresDatabase(spec, SystemClock(), calls).open()
    # The listener closes the breaker when it has heard the server; from here on nothing does.
    with database.wakeups.watch("nothing") as changes:
        await changes.wait(10)
    yield PostgresEventStore(database), calls
    await database.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.read(AggregateRef(AggregateType.CONVERSATION, "talk")),
        lambda store: store.commit(Change()),
    ],
    ids=["read", "commit"],
)
async def test_it_is_away_says_for_how_long_and_counts_no_failure(guarded, ask):
    store, calls = guarded
    for _ in range(FAILURES_MAX):
        calls.failed()
    with pytest.raises(StoreUnavailable, match="3 times in a row; it is asked again in") as raised:
        await ask(store)
    assert 0 < raised.value.retry_after_seconds <= 3600
    assert (calls.breaker.statistics.refused, calls.breaker.statistics.failed) == (1, FAILURES_MAX)
