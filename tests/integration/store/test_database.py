"""The writer: groups, a job that fails alone, a disk that is full, a reader that cannot write."""

import asyncio
import multiprocessing
import random
import sqlite3

import pytest
from tests.contract.event_store import append, change, submitted

from aicompany.errors import StateUnusable, StoreUnavailable, VersionConflict
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import known_migrations, migrate
from aicompany_workers.store.state_directory import StateDirectory


@pytest.fixture
async def database(tmp_path):
    path = tmp_path / "company.db"
    migrate(path)
    database = await SqliteDatabase(path).open()
    yield database
    await database.close()


def insert(number):
    return lambda c: c.execute("INSERT INTO inbox VALUES (?, 'now')", (f"m{number}",)).rowcount


def count(connection):
    return connection.execute("SELECT count(*) FROM inbox").fetchone()[0]


async def test_a_job_that_fails_leaves_no_trace_and_harms_no_neighbour(database):
    def half(connection):
        insert("half")(connection)
        raise ValueError("changed my mind")

    jobs = [database.write(insert(n)) for n in range(20)] + [database.write(half)]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int] * 20 + [ValueError]
    assert await database.read(count) == 20


async def test_what_waits_together_is_committed_together(database):
    commits = 0

    def note(statement):
        nonlocal commits
        commits += statement == "COMMIT"

    await database.write(lambda c: c.set_trace_callback(note))

    await asyncio.gather(*(database.write(insert(n)) for n in range(300)))
    assert 1 <= commits < 30


async def test_a_cancelled_caller_takes_nothing_back(database):
    job = asyncio.create_task(database.write(insert(1)))
    await asyncio.sleep(0)
    job.cancel()
    await database.write(insert(2))
    assert await database.read(count) == 2


async def test_a_full_disk_is_said_and_nothing_is_half_stored(database):
    store = SqliteEventStore(database, SystemClock())
    await store.commit(change(append("a", 0, submitted())))
    pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(StoreUnavailable, match=r"cannot grow .* free space"):
        await store.commit(change(append("b", 0, submitted(prompt="x" * 1_000_000)), handled_message_id="m"))
    assert not await store.is_handled("m")
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    await store.commit(change(append("b", 0, submitted(prompt="x" * 1_000_000)), handled_message_id="m"))
    assert await store.is_handled("m")


async def test_a_reader_cannot_write_and_sees_what_the_owner_wrote(database):
    looker = await SqliteDatabase(database.path, read_only=True).open()
    await database.write(insert(1))
    assert await looker.read(count) == 1
    with pytest.raises(StateUnusable, match="read-only"):
        await looker.read(insert(2))
    with pytest.raises(StoreUnavailable, match="closed"):
        await looker.write(insert(2))
    await looker.close()


async def test_after_close_it_says_so(database):
    await database.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await database.write(insert(1))


async def test_many_conflicts_are_told_to_those_who_lost(database):
    store = SqliteEventStore(database, SystemClock())
    outcomes = await asyncio.gather(
        *(store.commit(change(append("a", 0, submitted()))) for _ in range(50)), return_exceptions=True
    )
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 49


def test_migrations_are_applied_once_and_in_order(tmp_path):
    path = tmp_path / "company.db"
    assert migrate(path) == known_migrations() == sorted(known_migrations())
    assert migrate(path) == []
    connection = sqlite3.connect(path)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert {"events", "inbox", "outbox", "performance_metrics", "task_current_state"} <= tables


def test_a_process_killed_while_it_migrates_keeps_nobody_out(tmp_path):
    chance = random.Random(7)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["aicompany_workers.store.sqlite.migrations", "yoyo"])
    killed_at_work = 0
    for number in range(25):
        path = tmp_path / f"{number}.db"
        process = processes.Process(target=migrate, args=(path,), daemon=True)
        process.start()
        process.join(chance.uniform(0.0, 0.12))
        if process.is_alive():
            process.kill()
            process.join()
            killed_at_work += path.with_name(f"{path.name}.part").exists()
        migrate(path)
        connection = sqlite3.connect(path)
        applied = [row[0] for row in connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY 1")]
        connection.execute("SELECT count(*) FROM queue_messages, task_current_state").fetchone()
        connection.close()
        assert applied == known_migrations()
    assert killed_at_work


def test_an_older_file_is_brought_up_to_date_with_what_it_holds(tmp_path):
    path = tmp_path / "company.db"
    migrate(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0003_embedded_queues'")
    connection.execute("DROP TABLE queue_messages")
    connection.execute("INSERT INTO inbox VALUES ('m', 'now')")
    connection.commit()
    connection.close()
    assert migrate(path) == ["0003_embedded_queues"]
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT message_id FROM inbox").fetchall() == [("m",)]
    connection.close()


def test_a_state_directory_has_one_owner_at_a_time(tmp_path):
    first, second = StateDirectory(tmp_path / "s"), StateDirectory(tmp_path / "s")
    first.acquire()
    with pytest.raises(StateUnusable, match="is used by process"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
