"""Lanes hold: the urgent starts at once, the least urgent gets its share, and a paused lane waits."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.waiting import eventually

from aicompany.ids import message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import QueueLimits, lane_queues, topology_of
from aicompany.overload.decide import OverloadStep
from aicompany.ports.broker import Outgoing
from aicompany.ports.cluster import WorkerGroup
from aicompany.resilience.breaker import Breaker
from aicompany.resilience.retry import RetryPolicy
from aicompany.spec.overload import OverloadSpec
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.presence import LonePresence
from aicompany_workers.runtime.claims import AlwaysSeen, Claims
from aicompany_workers.runtime.effects import NO_EFFECTS
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.handling import Handling
from aicompany_workers.runtime.lane_intake import LaneIntake
from aicompany_workers.runtime.overload import Overload, OverloadLoop
from aicompany_workers.runtime.worker import Worker
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.telemetry.metrics import WorkerMetrics

GROUP = WorkerGroup("task", "qa")
QUEUES = lane_queues(GROUP.role, agent=GROUP.agent)


class Turns:
    """A role that does what it is let do, one message at a time, and remembers the lanes in the order of starting."""

    name = "task"

    def __init__(self):
        self.begun = []
        self.turns = asyncio.Semaphore(0)

    async def process_message(self, message):
        self.begun.append(message.envelope.lane)
        await self.turns.acquire()
        return NO_EFFECTS

    async def let_do(self, count):
        goal = len(self.begun) + count
        for _ in range(count):
            self.turns.release()
        await eventually(lambda: len(self.begun) >= goal)


def outgoing(lane, number):
    task_id = f"{lane.value}-{number}"
    envelope = Envelope(
        id=message_id_of(Purpose.RUN_STEP, task_id), purpose=Purpose.RUN_STEP, task_id=task_id, lane=lane,
        agent=GROUP.agent, trace_id="0" * 32,
    )  # fmt: skip
    return Outgoing(QUEUES[lane], envelope.to_json(), envelope.id)


async def publish(broker, lane, count, start=0):
    await broker.publish([outgoing(lane, start + number) for number in range(count)])


@pytest.fixture
async def ground(tmp_path):
    path = tmp_path / "company.db"
    migrate(path)
    database = await SqliteDatabase(path).open()
    broker = await EmbeddedBroker(database, SystemClock()).open()
    await broker.declare(topology_of([GROUP.agent], QueueLimits()))
    yield broker, SqliteEventStore(database, SystemClock())
    await broker.close()
    await database.close()


@asynccontextmanager
async def at_work(ground, role, *, overload=None, low_share=10, concurrency=1):
    broker, store = ground
    overload = overload or Overload(OverloadSpec())
    intake = LaneIntake(broker, QUEUES, prefetch=16, low_share=low_share, paused=lambda: overload.paused_lanes)
    overload.on_change(intake.look_again)
    handling = Handling(
        worker="w", role=role, store=store, broker=broker, failing=Failing(store),
        claims=Claims(LonePresence(SystemClock()), "here", AlwaysSeen(), 10), retry_policy=RetryPolicy(),
        observer=WorkerMetrics(CollectorRegistry()),
    )  # fmt: skip
    worker = Worker("w", GROUP, intake=intake, handling=handling, concurrency=concurrency, drain_seconds=0)
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(worker.run())
        yield worker
        life.cancel()


async def test_with_ten_thousand_low_messages_waiting_a_critical_one_starts_with_the_next_free_place(ground):
    broker, _ = ground
    await publish(broker, Lane.LOW, 10_000)
    role = Turns()
    async with at_work(ground, role):
        await role.let_do(5)
        # One has the place, the next one may have been chosen already.
        begun = len(role.begun)
        await publish(broker, Lane.CRITICAL, 1)
        await role.let_do(2)
        assert Lane.CRITICAL in role.begun[begun : begun + 2]


async def test_low_gets_its_share_while_there_is_always_something_more_urgent(ground):
    broker, _ = ground
    await publish(broker, Lane.LOW, 100)
    await publish(broker, Lane.CRITICAL, 300)
    role = Turns()
    async with at_work(ground, role, low_share=10):
        await role.let_do(200)
    low = role.begun[:200].count(Lane.LOW)
    assert 19 <= low <= 22, "every tenth"


async def test_a_paused_lane_waits_and_loses_nothing(ground):
    broker, _ = ground
    overload = Overload(OverloadSpec())
    overload.step = OverloadStep.LOW_LANE_PAUSED
    await publish(broker, Lane.LOW, 3)
    await publish(broker, Lane.NORMAL, 3)
    role = Turns()
    async with at_work(ground, role, overload=overload):
        await role.let_do(2)
        role.turns.release()
        await publish(broker, Lane.HIGH, 1)
        await eventually(lambda: len(role.begun) == 4)
        assert set(role.begun) == {Lane.NORMAL, Lane.HIGH}
        role.turns.release()
        overload.step = OverloadStep.NONE
        for listener in overload._listeners:
            listener()
        await role.let_do(2)
    assert role.begun.count(Lane.LOW) == 3


async def test_overload_goes_up_step_by_step_shows_and_comes_back_by_itself():
    spec = OverloadSpec(waiting_per_place=10, enter_looks=1, leave_looks=1, smaller_model="small")
    overload, waiting, preferred = Overload(spec), [1000], []
    registry = CollectorRegistry()
    registry.register(overload)

    async def waits():
        return waiting[0]

    async def places():
        return 10

    loop = OverloadLoop(
        overload, SystemClock(), waiting=waits, places=places, model_calls=lambda: (0, 0), model_breaker=Breaker,
        prefer_cached=preferred.append,
    )  # fmt: skip
    assert overload.model_for("large") == "large"
    seen = []
    for _ in range(5):
        await loop.look_once()
        seen.append(overload.status()["step"])
    assert seen == [
        "low_lane_paused", "cached_answers_preferred", "smaller_model", "low_orders_refused", "low_orders_refused",
    ]  # fmt: skip
    assert overload.paused_lanes == {Lane.LOW}
    assert overload.refuses_low_orders
    assert overload.model_for("large") == "small"
    assert preferred[-1] > 0
    assert 'aicompany_overload_step{step="low_orders_refused"} 1.0' in generate_latest(registry).decode()
    waiting[0] = 0
    for _ in range(4):
        await loop.look_once()
    assert overload.status()["step"] == "none"
    assert (overload.paused_lanes, overload.refuses_low_orders) == (frozenset(), False)
    assert preferred[-1] == 0


async def test_what_was_taken_and_never_begun_goes_back(ground):
    broker, _ = ground
    await publish(broker, Lane.NORMAL, 3)
    role, overload = Turns(), Overload(OverloadSpec())
    with pytest.raises(BaseExceptionGroup, match="unhandled"):  # noqa: PT012 - what breaks is the context inside
        async with at_work(ground, role, overload=overload, concurrency=3) as worker:
            taken = worker._intake.take

            async def take_and_break():
                delivery = await taken()
                # The worker breaks in the same turn of the loop: the handling of this one never runs.
                worker.crash()
                return delivery

            worker._intake.take = take_and_break
            await eventually(lambda: False)
    assert role.begun == []
    depth = await broker.depth(QUEUES[Lane.NORMAL])
    assert (depth.ready, depth.unacknowledged) == (3, 0)
