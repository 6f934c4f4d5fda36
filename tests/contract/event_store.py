"""What every event store does; with it the outbox and the views. An adapter brings the `kept` fixture."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.waiting import eventually

from aicompany.errors import AlreadyHandled, VersionConflict
from aicompany.failure import Failure
from aicompany.messaging.lanes import Lane
from aicompany.plans.events import ResultDelivered, StepEnded
from aicompany.plans.plan import StepOutcome
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import (
    AggregateRef,
    AggregateType,
    Append,
    Change,
    CompanyQueries,
    EventStore,
    Measurement,
    NewEvent,
    Outbox,
)
from aicompany.ports.model import ModelAnswer, StopReason
from aicompany.tasks.events import (
    ModelAnswered,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    TaskStarted,
    TaskSubmitted,
)
from aicompany.tasks.task import TaskKind
from aicompany.usage import Usage

FAILURE = Failure(code="model_refused", message="it said no", permanent=True)


@dataclass
class Kept:
    """One store behind its three ports."""

    store: EventStore
    outbox: Outbox
    queries: CompanyQueries


def submitted(**fields):
    values = {"title": "t", "prompt": "p", "kind": TaskKind.CODE, "lane": Lane.LOW, "lane_reason": "r", **fields}
    return TaskSubmitted(**values)


def append(task, version, *events, kind=AggregateType.TASK):
    new = tuple(NewEvent(event.event_type, event.to_json()) for event in events)
    return Append(AggregateRef(kind, task), version, new)


def change(*appends, **fields):
    return Change(appends=appends, **fields)


def answered(call=1, **usage):
    answer = ModelAnswer(content=(), stop_reason=StopReason.END_TURN, usage=Usage(calls=1, **usage), model="m")
    return ModelAnswered(call=call, answer=answer, duration_seconds=0.5)


def completed(text="done"):
    return TaskCompleted(result=text, usage=Usage(), duration_seconds=1)


class EventStoreContract:
    async def test_events_come_back_as_they_were_appended(self, kept: Kept) -> None:
        written = await kept.store.commit(
            change(append("a", 0, submitted(), TaskStarted(worker="w", attempt=1)), metadata={"trace_id": "t1"})
        )
        read = await kept.store.read(AggregateRef(AggregateType.TASK, "a"))
        assert read == list(written)
        assert [record.version for record in read] == [1, 2]
        assert read[0].metadata == {"trace_id": "t1"}
        assert abs(read[0].timestamp - datetime.now(UTC)) < timedelta(minutes=1)
        assert await kept.store.read(AggregateRef(AggregateType.TASK, "a"), after_version=1) == read[1:]
        assert await kept.store.read(AggregateRef(AggregateType.CONVERSATION, "a")) == []

    async def test_a_version_that_is_taken_is_a_conflict_and_nothing_is_stored(self, kept: Kept) -> None:
        await kept.store.commit(change(append("a", 0, submitted())))
        outgoing = Outgoing("pm.low", b"{}", "m1")
        for version in (0, 2):
            with pytest.raises(VersionConflict, match="version 1"):
                await kept.store.commit(
                    change(
                        append("b", 0, submitted()),
                        append("a", version, TaskStarted(worker="w", attempt=1)),
                        outgoing=(outgoing,),
                        handled_message_id="m0",
                    )
                )
        assert await kept.store.read(AggregateRef(AggregateType.TASK, "b")) == []
        assert await kept.outbox.pending(10) == []
        assert not await kept.store.is_handled("m0")

    async def test_an_append_without_a_version_goes_wherever_the_aggregate_stands(self, kept: Kept) -> None:
        await kept.store.commit(change(append("a", 0, submitted(), TaskStarted(worker="w", attempt=1))))
        (record,) = await kept.store.commit(change(append("a", None, answered())))
        assert record.version == 3

    async def test_a_message_is_handled_once(self, kept: Kept) -> None:
        await kept.store.commit(change(append("a", 0, submitted()), handled_message_id="m"))
        with pytest.raises(AlreadyHandled):
            await kept.store.commit(change(append("b", 0, submitted()), handled_message_id="m"))
        assert await kept.store.is_handled("m")
        assert await kept.store.read(AggregateRef(AggregateType.TASK, "b")) == []

    async def test_of_many_writers_at_the_same_version_one_wins(self, kept: Kept) -> None:
        await kept.store.commit(change(append("a", 0, submitted())))
        event = TaskStarted(worker="w", attempt=1)
        outcomes = await asyncio.gather(
            *(kept.store.commit(change(append("a", 1, event))) for _ in range(20)), return_exceptions=True
        )
        assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 19

    async def test_an_order_is_read_with_its_steps_and_nothing_else(self, kept: Kept) -> None:
        for task in ("aa", "aa.1.1", "aa.1.10", "ab", "aa0", "aaa", "aa-x"):
            await kept.store.commit(change(append(task, 0, submitted())))
        records = await kept.store.read_order("aa")
        assert [record.aggregate.id for record in records] == ["aa", "aa.1.1", "aa.1.10"]
        assert await kept.store.read_order("aa", after_position=records[0].position) == records[1:]

    async def test_the_stream_is_in_order_and_can_be_read_on(self, kept: Kept) -> None:
        await asyncio.gather(*(kept.store.commit(change(append(f"t{n}", 0, submitted()))) for n in range(30)))
        first = await kept.store.read_all(limit=20)
        rest = await kept.store.read_all(after_position=first[-1].position)
        positions = [record.position for record in first + rest]
        assert (len(first), len(rest)) == (20, 10)
        assert positions == sorted(set(positions))

    async def test_a_watcher_wakes_for_its_order_and_its_steps_only(self, kept: Kept) -> None:
        with kept.store.watch("aa") as changes:
            assert await changes.wait(1)
            await kept.store.commit(change(append("zz", 0, submitted())))
            assert not await changes.wait(0.05)
            await kept.store.commit(change(append("aa.1.1", 0, submitted())))
            await kept.store.commit(change(append("aa", 0, submitted())))
            assert await changes.wait(1)
            assert not await changes.wait(0.05)

    async def test_the_outbox_gives_in_order_and_forgets_what_was_published(self, kept: Kept) -> None:
        messages = tuple(Outgoing(f"q{n % 2}", str(n).encode(), f"m{n}") for n in range(4))
        await kept.store.commit(change(outgoing=messages))
        rows = await kept.outbox.pending(10)
        assert [row.message for row in rows] == list(messages)
        assert [row.message.queue for row in await kept.outbox.pending(10, except_queues=("q1",))] == ["q0", "q0"]
        await kept.outbox.mark_published([rows[0].sequence, rows[2].sequence])
        assert [row.message.message_id for row in await kept.outbox.pending(10)] == ["m1", "m3"]

    async def test_the_outbox_keeps_what_is_left_of_a_delay(self, kept: Kept) -> None:
        await kept.store.commit(change(outgoing=(Outgoing("q", b"", "m", delay_seconds=60),)))
        (row,) = await kept.outbox.pending(10)
        assert 59 < row.message.delay_seconds <= 60

    async def test_the_outbox_wakes_its_relay(self, kept: Kept) -> None:
        await kept.outbox.pending(10)
        waiting = asyncio.create_task(kept.outbox.wait(30))
        await kept.store.commit(change(outgoing=(Outgoing("q", b"", "m"),)))
        await eventually(waiting.done)

    async def test_the_view_folds_all_events_of_a_task(self, kept: Kept) -> None:
        events = (
            submitted(title="Title", requester="me", agent="qa", parent_id="o"),
            TaskStarted(worker="w", attempt=1),
            answered(1, input_tokens=10, output_tokens=5, cost_usd=Decimal("0.25")),
            answered(2, cache_read_tokens=1, cost_usd=Decimal("0.05")),
            completed("the result"),
        )
        await kept.store.commit(change(append("o.1.1", 0, *events)))
        row = await kept.queries.task("o.1.1")
        assert row is not None
        assert (row.state, row.title, row.requester, row.agent) == ("completed", "Title", "me", "qa")
        assert (row.tokens, row.cost_usd, row.attempts) == (16, Decimal("0.3"), 1)
        assert (row.result, row.error_code, row.version) == ("the result", None, 5)
        assert row.started_at is not None
        assert row.ended_at is not None

    async def test_the_view_of_a_failed_task_says_why_until_it_is_reopened(self, kept: Kept) -> None:
        await kept.store.commit(change(append("o", 0, submitted(), TaskFailed(failure=FAILURE))))
        row = await kept.queries.task("o")
        assert row is not None
        assert (row.state, row.error_code, row.error_message) == ("failed", "model_refused", "it said no")
        await kept.store.commit(change(append("o", 2, TaskReopened(run=2, reason="again"))))
        row = await kept.queries.task("o")
        assert row is not None
        assert (row.state, row.error_code, row.ended_at) == ("submitted", None, None)

    async def test_an_orders_cost_is_that_of_planning_and_receipts(self, kept: Kept) -> None:
        receipt = StepEnded(
            step="o.1.1", outcome=StepOutcome.COMPLETED, usage=Usage(calls=1, input_tokens=7, cost_usd=Decimal("0.5"))
        )
        events = (submitted(), TaskStarted(worker="w", attempt=1), answered(1, output_tokens=3), receipt)
        await kept.store.commit(change(append("o", 0, *events)))
        row = await kept.queries.task("o")
        assert row is not None
        assert (row.tokens, row.cost_usd) == (10, Decimal("0.5"))

    async def test_orders_are_listed_newest_first_without_their_steps(self, kept: Kept) -> None:
        for task in ("o1", "o3", "o2"):
            await kept.store.commit(change(append(task, 0, submitted())))
        await kept.store.commit(change(append("o1.1.2", 0, submitted(parent_id="o1"))))
        await kept.store.commit(change(append("o1.1.10", 0, submitted(parent_id="o1"))))
        await kept.store.commit(change(append("o3", 1, TaskCancelled(reason="r"))))
        assert [row.id for row in await kept.queries.tasks()] == ["o2", "o3", "o1"]
        assert [row.id for row in await kept.queries.tasks(limit=1, before_id="o2")] == ["o3"]
        assert [row.id for row in await kept.queries.tasks(state="submitted")] == ["o2", "o1"]
        assert [row.id for row in await kept.queries.tasks(parent_id="o1")] == ["o1.1.2", "o1.1.10"]
        assert await kept.queries.task_counts() == {"submitted": 2, "cancelled": 1}

    async def test_overdue_orders_are_those_that_have_not_ended(self, kept: Kept) -> None:
        now = datetime.now(UTC)
        late = submitted(deadline=now - timedelta(seconds=1))
        await kept.store.commit(change(append("late", 0, late)))
        await kept.store.commit(change(append("ended", 0, late, TaskCancelled(reason="r"))))
        await kept.store.commit(change(append("early", 0, submitted(deadline=now + timedelta(hours=1)))))
        assert await kept.queries.overdue(now) == ["late"]

    async def test_the_summary_counts_what_happened(self, kept: Kept) -> None:
        await kept.store.commit(change(append("a", 0, submitted(), completed())))
        await kept.store.commit(change(append("b", 0, submitted(), TaskFailed(failure=FAILURE))))
        delivered = ResultDelivered(notifier="log", reference="r", kept_at="k")
        measured = (Measurement("step_duration", 2.0, "seconds"), Measurement("step_duration", 4.0, "seconds"))
        await kept.store.commit(change(append("a", 2, delivered), measurements=measured))
        summary = await kept.queries.performance_summary(1)
        assert (summary.submitted, summary.completed, summary.failed) == (2, 1, 1)
        assert summary.metrics == {"step_duration": 3.0}
        assert summary.response_seconds_p50 is not None
        row = await kept.queries.task("a")
        assert row is not None
        assert row.delivered_at is not None
