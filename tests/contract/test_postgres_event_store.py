"""PostgreSQL keeps the contracts of event store and presence on a real server, also while that goes away."""

import asyncio
import multiprocessing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from tests.contract.event_store import EventStoreContract, Kept, append, change, submitted
from tests.contract.presence import PresenceContract
from tests.waiting import eventually

from aicompany.errors import AlreadyHandled, StateUnusable, StoreUnavailable
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import AggregateRef, AggregateType
from aicompany.spec.servers import StoreSpec
from aicompany.tasks.events import TaskStarted
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.postgres.batch import _LOCK, _LOCK_ID
from aicompany_workers.store.postgres.database import PostgresDatabase
from aicompany_workers.store.postgres.event_store import PostgresEventStore
from aicompany_workers.store.postgres.migrations import known_migrations, migrate
from aicompany_workers.store.postgres.outbox import PostgresOutbox
from aicompany_workers.store.postgres.presence import PostgresPresence
from aicompany_workers.store.postgres.queries import PostgresQueries


@pytest.fixture
async def open_store(postgres_url):
    """Each call is a process of its own, as far as the server can tell."""
    opened = []
    spec = StoreSpec(url=postgres_url)
    await asyncio.to_thread(migrate, spec)

    async def open_one():
        database = await PostgresDatabase(spec, SystemClock()).open()
        store = PostgresEventStore(database)
        outbox = PostgresOutbox(database, store)
        opened.append((outbox, database))
        return Kept(store, outbox, PostgresQueries(database, SystemClock()))

    yield open_one
    for outbox, database in opened:
        await outbox.close()
        await database.close()


@pytest.fixture
async def kept(open_store):
    return await open_store()


def started():
    return TaskStarted(worker="w", attempt=1)


class TestPostgresEventStore(EventStoreContract):
    pass


class TestPostgresPresence(PresenceContract):
    @pytest.fixture
    async def presence(self, postgres_url):
        spec = StoreSpec(url=postgres_url)
        await asyncio.to_thread(migrate, spec)
        database = await PostgresDatabase(spec, SystemClock()).open()
        yield PostgresPresence(database)
        await database.close()


async def test_no_event_appears_late_while_several_processes_write(open_store):
    writers = [await open_store() for _ in range(3)]
    reader = await open_store()
    total, seen, last = 3 * 60, [], 0

    async def write(kept, name):
        for start in range(0, 60, 6):
            orders = range(start, start + 6)
            await asyncio.gather(*(kept.store.commit(change(append(f"{name}{n}", 0, submitted()))) for n in orders))

    async with asyncio.TaskGroup() as tasks:
        for number, kept in enumerate(writers):
            tasks.create_task(write(kept, f"w{number}-"))
        async with asyncio.timeout(60):
            while len(seen) < total:
                for record in await reader.store.read_all(after_position=last, limit=7):
                    assert record.position > last
                    last = record.position
                    seen.append(record.aggregate.id)
                await asyncio.sleep(0)
    assert len(set(seen)) == total, "whoever follows the stream misses nothing and sees nothing twice"


async def test_a_transaction_that_stays_open_lets_nobody_overtake_it(open_store, postgres_url):
    kept = await open_store()
    async with await psycopg.AsyncConnection.connect(postgres_url) as slow:
        await slow.execute(_LOCK, (_LOCK_ID,))
        overtaking = asyncio.create_task(kept.store.commit(change(append("fast", 0, submitted()))))
        await slow.execute(
            "INSERT INTO events (aggregate_type, aggregate_id, version, event_type, event_data, metadata, timestamp)"
            " VALUES ('conversation', 'slow', 1, 'conversation_started', '{}', '{}', now())"
        )
        assert await kept.store.read_all() == []
        assert not overtaking.done()
        await slow.commit()
    await overtaking
    assert [record.aggregate.id for record in await kept.store.read_all()] == ["slow", "fast"]


async def test_of_many_processes_at_the_same_version_one_wins(open_store):
    processes = [await open_store() for _ in range(3)]
    await processes[0].store.commit(change(append("a", 0, submitted())))
    results = await asyncio.gather(
        *(kept.store.commit(change(append("a", 1, started()))) for kept in processes for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1


async def test_a_conflict_hurts_nobody_in_its_batch(kept):
    await kept.store.commit(change(append("a", 0, submitted()), handled_message_id="m0"))
    changes = [
        change(append("b", 0, submitted()), handled_message_id="m1"),
        change(append("a", 0, submitted()), handled_message_id="m2"),
        change(append("c", 0, submitted()), handled_message_id="m0"),
        change(append("d", 0, submitted()), handled_message_id="m3"),
    ]
    results = await asyncio.gather(*(kept.store.commit(each) for each in changes), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["tuple", "VersionConflict", "AlreadyHandled", "tuple"]
    assert [await kept.store.is_handled(f"m{n}") for n in range(4)] == [True, True, False, True]


async def test_what_postgres_cannot_hold_hurts_nobody_in_its_batch(kept):
    bad = change(append("a\x00", 0, submitted()))
    good = change(append("b", 0, submitted(prompt="a \x00 in JSON is text")))
    results = await asyncio.gather(kept.store.commit(bad), kept.store.commit(good), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["DefectError", "tuple"]
    (record,) = await kept.store.read(AggregateRef(AggregateType.TASK, "b"))
    assert "\\u0000" in record.data, "the event is kept as it was"


async def test_a_caller_who_leaves_takes_nobody_along(kept):
    tasks = [asyncio.create_task(kept.store.commit(change(append(f"t{n}", 0, submitted())))) for n in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, tuple) for result in results) == 9


async def test_two_relays_share_the_outbox_without_losing_or_doubling_a_row(open_store):
    first, second = await open_store(), await open_store()
    messages = tuple(Outgoing("pm.low", b"{}", f"m{n}") for n in range(40))
    await first.store.commit(change(outgoing=messages))
    one = await first.outbox.pending(10)
    two = await second.outbox.pending(100)
    assert len(one) == 10
    assert not {row.sequence for row in one} & {row.sequence for row in two}
    await first.outbox.mark_published([row.sequence for row in one])
    await second.outbox.mark_published([row.sequence for row in two])
    assert await first.outbox.count() == 0


async def test_a_relay_that_dies_lets_go_of_its_rows(open_store):
    first, second = await open_store(), await open_store()
    await first.store.commit(change(outgoing=(Outgoing("pm.low", b"{}", "m"),)))
    assert len(await first.outbox.pending(10)) == 1
    assert await second.outbox.pending(10) == []
    await first.outbox.close()

    async def is_free():
        return await second.outbox.pending(10)

    (row,) = await eventually(is_free)
    assert row.message.message_id == "m"


async def test_another_process_is_heard(open_store):
    writer, watcher = await open_store(), await open_store()
    with watcher.store.watch("aa") as changes:
        assert await changes.wait(1)
        assert not await changes.wait(0.05)
        await writer.store.commit(change(append("aa.1.1", 0, submitted())))
        assert await changes.wait(5), "a step of the watched order"


async def test_over_a_restart_of_the_server_nothing_is_lost_and_nothing_twice(kept, postgres):
    stored = set()

    async def store_one(number):
        event = change(append(f"r{number}", 0, submitted()), handled_message_id=f"r{number}")
        while True:
            try:
                await kept.store.commit(event)
            except StoreUnavailable:
                await asyncio.sleep(0)
            except AlreadyHandled:
                break
            else:
                break
        stored.add(number)

    async def store_all(numbers):
        for number in numbers:
            await store_one(number)

    async with asyncio.TaskGroup() as tasks:
        for lane in range(8):
            tasks.create_task(store_all(range(lane, 400, 8)))
        await eventually(lambda: len(stored) > 40)
        await asyncio.to_thread(postgres.restart)
    records = await kept.store.read_all(limit=1000)
    assert sorted(record.aggregate.id for record in records) == sorted(f"r{n}" for n in range(400))


async def test_a_watcher_wakes_when_the_server_is_back(kept, postgres):
    with kept.store.watch("aa") as changes:
        await changes.wait(1)
        await asyncio.to_thread(postgres.restart)
        assert await changes.wait(10), "something may have happened while nobody listened"


async def test_a_server_that_is_away_is_told_without_the_password(postgres_url):
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9/none") as raised:
        await PostgresDatabase(StoreSpec(url="postgresql://u:not-this@127.0.0.1:9/none"), SystemClock()).open()
    assert "not-this" not in str(raised.value)


async def test_old_inbox_entries_and_measurements_are_dropped(kept):
    await kept.store.commit(change(append("a", 0, submitted()), handled_message_id="m"))
    later = datetime.now(UTC) + timedelta(days=1)
    assert await kept.store.forget(handled_before=later, measured_before=later) == 1
    assert not await kept.store.is_handled("m")


def test_several_processes_migrate_at_once(postgres_url):
    spec = StoreSpec(url=postgres_url)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        applied = pool.map(migrate, [spec] * 4)
    assert max(applied, key=len) == known_migrations()
    assert sum(bool(names) for names in applied) == 1
    assert migrate(spec) == []


def test_a_database_of_a_newer_version_is_refused(postgres_url):
    spec = StoreSpec(url=postgres_url)
    migrate(spec)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999_from_the_future')"
        )
    with pytest.raises(StateUnusable, match=r"newer version.*9999_from_the_future"):
        migrate(spec)
