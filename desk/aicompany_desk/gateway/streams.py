"""Server-sent events: what happens to an order or in a conversation, as it happens.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html. The id of each event is its position in the
store, so a client that lost the connection goes on with `Last-Event-ID`; once nothing can follow it is answered 204,
which tells it to come back no more.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from aicompany.ports.event_store import Changes, EventRecord
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.rows import event_json

_KEEP_ALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a stream tells."""

    watched: str
    """Id of the task or conversation."""
    read: Callable[[int], Awaitable[Sequence[EventRecord]]]
    """Events after a position."""
    is_over: Callable[[], Awaitable[bool]]
    """Whether all that is to be told has been stored."""


async def stream_of(ports: GatewayPorts, told: Told, after: int) -> Response:
    """What is told from position `after` on, to its end or to the company's."""
    if await told.is_over() and not await told.read(after):
        return Response(status_code=204)
    return StreamingResponse(
        _lines(ports, told, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(ports: GatewayPorts, told: Told, after: int) -> AsyncIterator[str]:
    with ports.store.watch(told.watched) as changes:
        while not ports.closing.is_set():
            if not await _wait(changes, ports.closing):
                yield ": still here\n\n"
                continue
            # Asked before the reading, so that what came in between is still told.
            is_over = await told.is_over()
            for record in await told.read(after):
                after = record.position
                yield f"id: {after}\nevent: {record.event_type}\ndata: {json.dumps(event_json(record))}\n\n"
            if is_over:
                return


async def _wait(changes: Changes, closing: asyncio.Event) -> bool:
    """Whether something changed, before the company closes and in time for the next sign of life."""
    changed = asyncio.create_task(changes.wait(_KEEP_ALIVE_SECONDS))
    closed = asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({changed, closed}, return_when=asyncio.FIRST_COMPLETED)
        return changed.done() and changed.result()
    finally:
        changed.cancel()
        closed.cancel()
