"""The loops beside the workers."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aicompany_desk.assembly.housekeeping import Housekeeping
from aicompany_desk.assembly.parts import Assembly
from aicompany_workers.runtime.dead_letters import DeadLetterKeeper
from aicompany_workers.runtime.deadlines import DeadlineWatch
from aicompany_workers.runtime.failing import Failing
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
