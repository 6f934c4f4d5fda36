"""The scaling loop of one machine: observe, let core decide, apply."""

import asyncio
from dataclasses import dataclass, field

import structlog

from aicompany.errors import AICompanyError
from aicompany.messaging.topology import lane_queues
from aicompany.observation import Unknown
from aicompany.ports.broker import Broker
from aicompany.ports.clock import Clock
from aicompany.ports.cluster import Cluster, WorkerGroup
from aicompany.scaling.decide import GroupObservation, ScaleDecision, ScalingHistory, decide_workers, remember
from aicompany.spec.scaling import ScalingSpec
from aicompany.spec.workers import WorkerSpec

log = structlog.get_logger()


@dataclass(slots=True)
class ScalingLoop:
    """Holds no rule: `aicompany.scaling.decide` has them all."""

    cluster: Cluster
    broker: Broker
    groups: dict[WorkerGroup, WorkerSpec]
    policy: ScalingSpec
    clock: Clock
    decisions: dict[WorkerGroup, ScaleDecision] = field(default_factory=dict)
    """The last decision of each group, for `status`."""
    _histories: dict[WorkerGroup, ScalingHistory] = field(default_factory=dict)

    async def run(self) -> None:
        """Look until cancelled; the first look starts the workers."""
        while True:
            await self.look_once()
            await asyncio.sleep(self.policy.interval_seconds)

    async def look_once(self) -> None:
        """One look at every group."""
        for group, worker in self.groups.items():
            seen = await self._observe(group)
            past = self._histories.get(group, ScalingHistory())
            decided = decide_workers(seen, past, self.policy, worker, self.clock.now())
            self.decisions[group] = decided
            if decided.changes(seen):
                log.info(
                    "scaling.decided", group=str(group), before=seen.replicas, after=decided.replicas,
                    reason=decided.reason.summary,
                )  # fmt: skip
                await self.cluster.scale(group, decided.replicas)
            self._histories[group] = remember(past, seen, decided, self.policy)

    async def _observe(self, group: WorkerGroup) -> GroupObservation:
        replicas = self.cluster.replicas(group)
        in_flight = sum(w.in_flight or 0 for w in await self.cluster.workers() if w.group == group)
        try:
            depths = [await self.broker.depth(q) for q in lane_queues(group.role, agent=group.agent).values()]
        except AICompanyError as error:
            return GroupObservation(replicas, Unknown(error.message), in_flight)
        # What a worker has taken in but not begun is unacknowledged and still waits.
        unacknowledged = sum(depth.unacknowledged or 0 for depth in depths)
        waiting = sum(depth.ready for depth in depths) + max(0, unacknowledged - in_flight)
        return GroupObservation(replicas, max(0, waiting), in_flight)
