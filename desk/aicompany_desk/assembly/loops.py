"""The loops beside the workers."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import lane_queues
from aicompany.ports.cluster import WorkerGroup
from aicompany_desk.assembly.housekeeping import Housekeeping
from aicompany_desk.assembly.parts import Assembly
from aicompany_workers.runtime.dead_letters import DeadLetterKeeper
from aicompany_workers.runtime.deadlines import DeadlineWatch
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.heartbeats import SILENT_SECONDS_MAX
from aicompany_workers.runtime.overload import OverloadLoop
from aicompany_workers.runtime.relay import OutboxRelay

Loops = Mapping[str, Coroutine[Any, Any, None]]


def loops_of_process(assembly: Assembly) -> dict[str, Coroutine[Any, Any, None]]:
    """What every process does: carry its messages to the broker, and say that it is alive."""
    preload = assembly.models.preload
    return {
        **({"preload": preload.run()} if preload else {}),
        "relay": OutboxRelay(assembly.servers.kept.outbox, assembly.parts.broker).run(),
        "heartbeats": assembly.heartbeats.run(),
    }


def loops_of_company(assembly: Assembly) -> dict[str, Coroutine[Any, Any, None]]:
    """What somebody has to do for the whole company; more than one may."""
    parts = assembly.parts
    return {
        "dead-letters": DeadLetterKeeper(parts.store, parts.broker, Failing(parts.store)).run(),
        "deadlines": DeadlineWatch(parts.store, parts.queries, parts.clock, parts.ids).run(),
        "housekeeping": Housekeeping(parts.store, parts.clock).run(),
    }


def overload_loop(
    assembly: Assembly, groups: Iterable[WorkerGroup], *, reporting: str | None
) -> Coroutine[Any, Any, None]:
    """Watches the queues of these groups, and the processes that say they belong to `reporting`, or all of them.

    The low lane does not count: while it is paused it only grows.
    """
    parts, presence = assembly.parts, assembly.servers.kept.presence
    queues = [
        queue
        for group in groups
        for lane, queue in lane_queues(group.role, agent=group.agent).items()
        if lane is not Lane.LOW
    ]

    async def waiting() -> int:
        return sum([(await parts.broker.depth(queue)).ready for queue in queues])

    async def places() -> int:
        records = await presence.heartbeats(silent_seconds_max=SILENT_SECONDS_MAX)
        return sum(r.heartbeat.capacity for r in records if reporting is None or r.heartbeat.group == reporting)

    kept = assembly.models.kept
    return OverloadLoop(
        parts.overload,
        parts.clock,
        waiting=waiting,
        places=places,
        model_calls=assembly.models.guarded.calls,
        model_breaker=lambda: assembly.models.guarded.breaker,
        prefer_cached=kept.prefer_cached if kept else lambda _: None,
    ).run()


@asynccontextmanager
async def running(loops: Loops) -> AsyncIterator[list[asyncio.Task[None]]]:
    """While it is open they run; when one of them breaks, what is inside is cancelled with its error."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop, name=name) for name, loop in loops.items()]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
