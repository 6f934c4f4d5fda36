"""Workers as tasks of this process keep the contract, and one that crashes is replaced in its place."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from tests.contract.cluster import GROUP, ClusterContract
from tests.waiting import eventually

from aicompany.ids import TraceId, message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import QueueLimits, lane_queues, topology_of
from aicompany.resilience.retry import RetryPolicy
from aicompany.spec.edges import HealthSpec
from aicompany_desk.local.cluster import LocalCluster
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import SystemClock
from aicompany_workers.presence import LonePresence
from aicompany_workers.runtime.claims import AlwaysSeen, Claims
from aicompany_workers.runtime.effects import NO_EFFECTS, outgoing_of
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.handling import Handling
from aicompany_workers.runtime.lane_intake import LaneIntake
from aicompany_workers.runtime.worker import Worker
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.telemetry.metrics import WorkerMetrics


class WaitingRole:
    """Works on a message until it is told to finish."""

    name = "task"

    def __init__(self):
        self.finished = asyncio.Event()

    async def process_message(self, message):
        await self.finished.wait()
        return NO_EFFECTS


class TestLocalCluster(ClusterContract):
    @pytest.fixture
    async def cluster(self, sqlite_database):
        self.broker = await EmbeddedBroker(sqlite_database, SystemClock()).open()
        await self.broker.declare(topology_of([GROUP.agent], QueueLimits()))
        store = SqliteEventStore(sqlite_database, SystemClock())
        metrics = WorkerMetrics(CollectorRegistry())
        self.role = WaitingRole()
        claims = Claims(LonePresence(SystemClock()), "here", AlwaysSeen(), silent_seconds_max=10)

        def build(group, name):
            queues = lane_queues(group.role, agent=group.agent)
            return Worker(
                name,
                group,
                intake=LaneIntake(self.broker, queues, prefetch=1, low_share=10),
                handling=Handling(name, self.role, store, self.broker, Failing(store), claims, RetryPolicy(), metrics),
                concurrency=1,
                drain_seconds=30,
            )

        cluster = LocalCluster(build, HealthSpec(), metrics)
        yield cluster
        self.role.finished.set()
        await cluster.drain()
        await self.broker.close()

    async def work(self):
        envelope = Envelope(
            id=message_id_of(Purpose.RUN_STEP, "t"),
            purpose=Purpose.RUN_STEP,
            task_id="t",
            lane=Lane.NORMAL,
            agent=GROUP.agent,
            trace_id=TraceId("0" * 32),
        )
        await self.broker.publish([outgoing_of(envelope)])

    def finish(self):
        self.role.finished.set()

    async def test_a_worker_that_crashes_is_replaced_in_its_place(self, cluster):
        await cluster.scale(GROUP, 2)
        await eventually(lambda: self._ready(cluster, 2))
        (first, _) = await cluster.workers()
        cluster.crash(first.name)

        async def replaced():
            workers = {worker.name: worker for worker in await cluster.workers()}
            return workers[first.name].ready and workers[first.name].restarts == 1

        await eventually(replaced)
        assert cluster.replicas(GROUP) == 2
