"""Server-sent events: what happens to an order or in a conversation, as it happens.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html. The id of each event is its position in the
store, so a client that lost the connection goes on with `Last-Event-ID`.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.responses import StreamingResponse

from aicompany.ports.event_store import EventRecord, EventStore
from aicompany_desk.gateway.rows import event_json

_KEEP_ALIVE_SECONDS = 15.0

Read = Callable[[int], Awaitable[Sequence[EventRecord]]]
"""Events after a position."""


def stream_of(
    store: EventStore, watched: str, after: int, read: Read, is_last: Callable[[EventRecord], bool]
) -> StreamingResponse:
    """The stream of what `read` gives, from position `after` on; it ends with the event that is the last."""
    return StreamingResponse(
        _lines(store, watched, after, read, is_last),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(
    store: EventStore, watched: str, after: int, read: Read, is_last: Callable[[EventRecord], bool]
) -> AsyncIterator[str]:
    with store.watch(watched) as changes:
        while True:
            if not await changes.wait(_KEEP_ALIVE_SECONDS):
                yield ": still here\n\n"
            for record in await read(after):
                after = record.position
                yield f"id: {after}\nevent: {record.event_type}\ndata: {json.dumps(event_json(record))}\n\n"
                if is_last(record):
                    return
