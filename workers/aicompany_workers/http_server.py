"""An HTTP server inside an event loop that is not its own: it takes neither the loop nor the process's signals."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from aicompany.errors import AddressInUse

_START_SECONDS = 10.0
_STOP_SECONDS = 5


class _EmbeddedServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs the loop."""
        yield


@asynccontextmanager
async def serve(app: Any, *, host: str, port: int, what: str) -> AsyncIterator[str]:  # noqa: ANN401 - any ASGI app
    """Serve the app while the context is open; gives the base URL. `port` 0 takes a free one.

    Raises `AddressInUse` naming `what`.
    """
    listener = _listen(host, port, what)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_STOP_SECONDS,
        ws="none",
        server_header=False,
        date_header=False,
    )
    server = _EmbeddedServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"http-{what}")
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.002)
        bound_host, bound_port = listener.getsockname()[:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        yield f"http://{shown}:{bound_port}"
    finally:
        server.should_exit = True
        try:
            await asyncio.shield(serving)
        finally:
            # Also when whoever waits here is cancelled a second time.
            listener.close()


def _listen(host: str, port: int, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"port {port} for the {what} is in use; stop what uses it, or set another (0 takes a free one)"
            ) from error
        raise AddressInUse(f"the {what} cannot listen on {host}:{port} ({error.strerror}); set another") from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener
