"""SQLite keeps the contract of the event store, and the view agrees with core's own fold."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.event_store import FAILURE, EventStoreContract, Kept, answered, append, change, completed, submitted

from aicompany.ids import TaskId
from aicompany.ports.event_store import AggregateRef, AggregateType
from aicompany.tasks.events import TaskCancelled, TaskCompleted, TaskFailed, TaskReopened, TaskStarted, TaskUndone
from aicompany.tasks.state import TRANSITIONS, fold_task
from aicompany.tasks.task import TaskState
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import READ_AGGREGATE, READ_ORDER, SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.store.sqlite.outbox import SqliteOutbox
from aicompany_workers.store.sqlite.queries import ORDERS, OVERDUE, STEPS, TASK, SqliteQueries


@pytest.fixture
async def kept(sqlite_database):
    store = SqliteEventStore(sqlite_database, SystemClock())
    return Kept(store, SqliteOutbox(sqlite_database, store), SqliteQueries(sqlite_database, SystemClock()))


_SAMPLES = {
    TaskStarted: TaskStarted(worker="w", attempt=1),
    TaskCompleted: completed(),
    TaskFailed: TaskFailed(failure=FAILURE),
    TaskCancelled: TaskCancelled(reason="r"),
    TaskUndone: TaskUndone(),
    TaskReopened: TaskReopened(run=2, reason="r"),
}


@st.composite
def histories(draw):
    """The events of a task as they may follow each other."""
    events, state = [submitted()], TaskState.SUBMITTED
    for _ in range(draw(st.integers(0, 10))):
        possible = [kind for (before, kind) in TRANSITIONS if before is state and kind in _SAMPLES]
        if not possible:
            break
        kind = draw(st.sampled_from(possible))
        state = TRANSITIONS[state, kind]
        events.append(_SAMPLES[kind])
        if state is TaskState.RUNNING and draw(st.booleans()):
            events.append(answered(input_tokens=draw(st.integers(0, 100))))
    return events


@settings(max_examples=8, deadline=None)
@given(st.lists(histories(), min_size=10, max_size=30))
def test_the_view_agrees_with_the_fold_for_any_history(gathered):
    async def compare(path):
        migrate(path)
        database = await SqliteDatabase(path).open()
        store, queries = SqliteEventStore(database, SystemClock()), SqliteQueries(database, SystemClock())
        for number, events in enumerate(gathered):
            await store.commit(change(append(f"h{number}", 0, *events)))
            records = await store.read(AggregateRef(AggregateType.TASK, f"h{number}"))
            agree(fold_task(TaskId(f"h{number}"), records), await queries.task(f"h{number}"))
        await database.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(compare(Path(directory) / "company.db"))


def agree(task, row):
    assert (row.state, row.tokens) == (task.state.value, task.usage.tokens)
    assert (row.result, row.version) == (task.result, task.version)
    assert row.error_code == (task.failure.code if task.failure else None)
    assert (row.ended_at is None) == (task.ended_at is None)


class TestSqliteEventStore(EventStoreContract):
    @pytest.mark.parametrize(
        ("statement", "values", "index"),
        [
            (READ_AGGREGATE, ("task", "a", 0), "sqlite_autoindex_events_1"),
            (READ_ORDER, ("a", 0), "sqlite_autoindex_events_1"),
            (TASK, ("a",), "PRIMARY KEY"),
            (STEPS, ("a", None, 10), "task_states_by_parent"),
            (OVERDUE, ("2026", 10), "task_states_by_deadline"),
            (ORDERS, (None, None, 10), "task_states_by_submission"),
        ],
    )
    async def test_hot_queries_use_their_index(self, sqlite_database, statement, values, index):
        plan = await sqlite_database.read(lambda c: c.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
        text = " ".join(row[3] for row in plan)
        assert index in text, text
        assert "SCAN" not in text.replace("SCAN task_states USING INDEX", ""), text
        assert "(aggregate_type=?)" not in text, "the whole of a type would be read"
