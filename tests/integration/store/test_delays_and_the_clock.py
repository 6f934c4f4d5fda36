"""A delay is a length of time: setting the machine's clock neither stretches nor cuts it."""

from datetime import datetime, timedelta

import pytest
from tests.waiting import eventually

from aicompany.messaging.topology import Topology
from aicompany.ports.broker import Delivery, Outgoing
from aicompany.ports.event_store import Change
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.store.sqlite.outbox import SqliteOutbox

LATE = Outgoing("work", b"x", "late", delay_seconds=0.2)


class SetClock(SystemClock):
    """The machine's clock, set to another hour."""

    hours = 0

    def now(self) -> datetime:
        return super().now() + timedelta(hours=self.hours)


@pytest.fixture
async def database(tmp_path):
    migrate(tmp_path / "company.db")
    database = await SqliteDatabase(tmp_path / "company.db").open()
    yield database
    await database.close()


@pytest.mark.parametrize("hours", [1, -1])
async def test_in_the_embedded_broker(database, hours):
    clock, received = SetClock(), list[Delivery]()
    broker = await EmbeddedBroker(database, clock).open()
    await broker.declare(Topology(("work",)))
    await broker.subscribe("work", prefetch=1, receive=received.append)
    clock.hours = hours
    await broker.publish([LATE])
    assert (await broker.depth("work")).delayed == 1
    clock.hours = 0
    await eventually(lambda: received, within_seconds=5)
    await broker.close()


async def test_in_the_embedded_broker_after_a_restart(database):
    clock, received = SetClock(), list[Delivery]()
    clock.hours = 1
    broker = await EmbeddedBroker(database, clock).open()
    await broker.declare(Topology(("work",)))
    await broker.publish([LATE])
    await broker.close()
    again = await EmbeddedBroker(database, SystemClock()).open()
    await again.declare(Topology(("work",)))
    await again.subscribe("work", prefetch=1, receive=received.append)
    await eventually(lambda: received, within_seconds=5)
    await again.close()


@pytest.mark.parametrize("hours", [1, -1])
async def test_in_the_outbox(database, hours):
    clock = SetClock()
    store = SqliteEventStore(database, clock)
    clock.hours = hours
    await store.commit(Change(outgoing=(LATE,)))
    clock.hours = 0
    (row,) = await SqliteOutbox(database, store).pending(10)
    assert 0 < row.message.delay_seconds <= LATE.delay_seconds
