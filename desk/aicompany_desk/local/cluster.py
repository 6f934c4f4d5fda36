"""`ports.cluster.Cluster` in this process: workers are tasks of the event loop."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette

from aicompany.errors import AddressInUse
from aicompany.ports.cluster import WorkerGroup, WorkerStatus
from aicompany.spec.edges import HealthSpec
from aicompany_workers.http_server import serve
from aicompany_workers.runtime.health import health_app
from aicompany_workers.runtime.worker import Worker
from aicompany_workers.telemetry.metrics import WorkerMetrics

_RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Pause before the first, second, … restart of a worker that crashed; the last one from then on."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Place:
    """A worker's place: keeps its name and its count of restarts while workers come and go in it."""

    name: str
    group: WorkerGroup
    worker: Worker | None = None
    life: asyncio.Task[None] | None = None
    restarts: int = 0
    leaving: bool = False
    health_url: str | None = None


class LocalCluster:
    """Runs workers, replaces those that crash, drains those that are too many."""

    def __init__(self, build: Callable[[WorkerGroup, str], Worker], health: HealthSpec, metrics: WorkerMetrics) -> None:
        self._build = build
        self._health = health
        self._metrics = metrics
        self._places: dict[WorkerGroup, list[_Place]] = defaultdict(list)
        self._numbers: Counter[WorkerGroup] = Counter()

    async def workers(self) -> list[WorkerStatus]:
        """All workers now, those that are leaving included."""
        return [
            WorkerStatus(
                name=place.name,
                group=place.group,
                ready=place.worker is not None and place.worker.is_ready,
                restarts=place.restarts,
                in_flight=place.worker.in_flight if place.worker else None,
                health_url=place.health_url,
            )
            for places in self._places.values()
            for place in places
        ]

    def in_flight(self) -> int:
        """Messages that all workers together work on."""
        return sum(self._in_flight(group) for group in self._places)

    def capacity(self) -> int:
        """Messages that all workers together could work on."""
        places = (place for places in self._places.values() for place in places)
        return sum(place.worker.concurrency for place in places if place.worker)

    def replicas(self, group: WorkerGroup) -> int:
        """Workers of the group that are to stay."""
        return len(self._staying(group))

    async def scale(self, group: WorkerGroup, replicas: int) -> None:
        """Start what is missing; drain what is too much, idle workers first."""
        staying = self._staying(group)
        for _ in range(replicas - len(staying)):
            self._start(group)
        surplus = sorted(staying, key=lambda place: place.worker.in_flight if place.worker else 0)
        for place in surplus[: max(0, len(staying) - replicas)]:
            self._leave(place)

    def crash(self, name: str) -> None:
        """End a worker as a crash would, for tests of what follows."""
        place = next(p for places in self._places.values() for p in places if p.name == name)
        if place.worker is not None:
            place.worker.crash()

    async def drain(self) -> None:
        """Let all finish what they have, and wait until they are gone."""
        lives = [place.life for places in self._places.values() for place in places if place.life]
        for places in list(self._places.values()):
            for place in list(places):
                self._leave(place)
        if lives:
            await asyncio.wait(lives)

    async def stop(self) -> None:
        """End all at once; what they hold goes back to the queues."""
        lives = [place.life for places in self._places.values() for place in places if place.life]
        for life in lives:
            life.cancel()
        for life in lives:
            with suppress(asyncio.CancelledError):
                await life

    def _staying(self, group: WorkerGroup) -> list[_Place]:
        return [place for place in self._places[group] if not place.leaving]

    def _start(self, group: WorkerGroup) -> None:
        self._numbers[group] += 1
        place = _Place(f"{group}-{self._numbers[group]}", group)
        self._places[group].append(place)
        self._metrics.watch_in_flight(group.role, group.agent, lambda: self._in_flight(group))
        place.life = asyncio.create_task(self._live(place), name=f"worker-{place.name}")
        place.life.add_done_callback(lambda life: self._gone(place, life))

    def _gone(self, place: _Place, life: asyncio.Task[None]) -> None:
        self._places[place.group].remove(place)
        if not life.cancelled() and (error := life.exception()) is not None:
            log.error("worker.place_lost", worker=place.name, exc_info=error)

    def _in_flight(self, group: WorkerGroup) -> int:
        return sum(place.worker.in_flight for place in self._places[group] if place.worker)

    @staticmethod
    def _leave(place: _Place) -> None:
        place.leaving = True
        if place.worker is not None:
            place.worker.drain()
        elif place.life is not None:
            place.life.cancel()

    async def _live(self, place: _Place) -> None:
        app = health_app(lambda: _description(place), lambda: _is_ready(place), self._metrics.registry)
        async with AsyncExitStack() as stack:
            place.health_url = await self._serve_health(app, place, stack)
            while not place.leaving:
                await self._live_once(place)

    async def _serve_health(self, app: Starlette, place: _Place, stack: AsyncExitStack) -> str:
        """On the configured port, or on a free one when a neighbour has it already."""
        what = f"health of {place.name}"
        try:
            return await stack.enter_async_context(
                serve(app, host=self._health.host, port=self._health.port, what=what)
            )
        except AddressInUse as error:
            if self._health.port == 0:
                raise
            log.warning("worker.health_elsewhere", worker=place.name, reason=error.message)
            return await stack.enter_async_context(serve(app, host=self._health.host, port=0, what=what))

    async def _live_once(self, place: _Place) -> None:
        place.worker = self._build(place.group, place.name)
        try:
            await place.worker.run()
        except asyncio.CancelledError:
            raise
        except BaseExceptionGroup as error:
            self._note_crash(place, error)
        except Exception as error:  # noqa: BLE001 - whatever ended the worker, its place gets another
            self._note_crash(place, error)
        finally:
            place.worker = None
        if not place.leaving:
            await asyncio.sleep(_RESTART_SECONDS[min(place.restarts, len(_RESTART_SECONDS)) - 1])

    @staticmethod
    def _note_crash(place: _Place, error: BaseException) -> None:
        place.restarts += 1
        log.error("worker.crashed", worker=place.name, restarts=place.restarts, exc_info=error)


def _description(place: _Place) -> dict[str, object]:
    worker = place.worker
    return {
        "worker": place.name,
        "role": place.group.role,
        "agent": place.group.agent,
        "in_flight": worker.in_flight if worker else None,
        "restarts": place.restarts,
        "draining": place.leaving,
    }


def _is_ready(place: _Place) -> bool:
    return place.worker is not None and place.worker.is_ready
