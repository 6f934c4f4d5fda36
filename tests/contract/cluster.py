"""What every cluster does: as many workers as it is told, replaced when they die, never taken away while busy.

An adapter brings `cluster`, and `work` to keep workers busy with: it puts one message into the group's queue, and
`finish` lets all that is at work end.
"""

from tests.waiting import eventually

from aicompany.ports.cluster import Cluster, WorkerGroup

GROUP = WorkerGroup("task", "qa")


class ClusterContract:
    async def work(self) -> None:
        """Give the group one message that takes until `finish`."""
        raise NotImplementedError

    def finish(self) -> None:
        """Let what is at work end."""
        raise NotImplementedError

    async def test_it_has_as_many_ready_workers_as_it_is_told(self, cluster: Cluster) -> None:
        for wanted in (3, 1, 2, 0):
            await cluster.scale(GROUP, wanted)
            assert cluster.replicas(GROUP) == wanted
            await eventually(lambda wanted=wanted: self._ready(cluster, wanted))

    async def test_names_are_never_used_twice_at_once(self, cluster: Cluster) -> None:
        await cluster.scale(GROUP, 5)
        await eventually(lambda: self._ready(cluster, 5))
        assert len({worker.name for worker in await cluster.workers()}) == 5

    async def test_told_the_same_again_it_changes_nothing(self, cluster: Cluster) -> None:
        await cluster.scale(GROUP, 2)
        await eventually(lambda: self._ready(cluster, 2))
        before = await cluster.workers()
        await cluster.scale(GROUP, 2)
        assert await cluster.workers() == before

    async def test_idle_workers_go_first_and_a_busy_one_finishes(self, cluster: Cluster) -> None:
        await cluster.scale(GROUP, 3)
        await eventually(lambda: self._ready(cluster, 3))
        await self.work()
        await eventually(lambda: self._in_flight(cluster, 1))
        (busy,) = [worker.name for worker in await cluster.workers() if worker.in_flight]
        await cluster.scale(GROUP, 1)
        await eventually(lambda: self._names_are(cluster, [busy]))
        await cluster.scale(GROUP, 0)
        assert [worker.name for worker in await cluster.workers()] == [busy]
        self.finish()
        await eventually(lambda: self._names_are(cluster, []))

    @staticmethod
    async def _ready(cluster: Cluster, wanted: int) -> bool:
        workers = await cluster.workers()
        return sum(worker.ready for worker in workers) == wanted

    @staticmethod
    async def _in_flight(cluster: Cluster, wanted: int) -> bool:
        return sum(worker.in_flight or 0 for worker in await cluster.workers()) == wanted

    @staticmethod
    async def _names_are(cluster: Cluster, wanted: list[str]) -> bool:
        return [worker.name for worker in await cluster.workers()] == wanted
