"""A TCP proxy that stands before a server and misbehaves when it is told to.

It can reset all connections at once, delay every byte, fall silent in both directions while it keeps the connections
open (a half-open connection, as a lost route or a forgotten NAT entry leaves it), refuse new connections, and be
well again.
"""

import asyncio
import socket
import struct
from contextlib import suppress

_NO_LINGER = struct.pack("ii", 1, 0)
_CONNECT_SECONDS = 5.0


class FaultyProxy:
    """Forwards a loopback port of its own to a server's port; `start` before the rest, `close` in the end."""

    def __init__(self, name: str, server_port: int) -> None:
        self.name = name
        self.port = 0
        self.latency_seconds = 0.0
        self.is_silent = False
        self._server_port = server_port
        self._listener: asyncio.Server | None = None
        self._place: socket.socket | None = None
        """Keeps the port while nobody listens: somebody else's connection might take it otherwise."""
        self._pairs: set[_Pair] = set()
        self._door = asyncio.Lock()
        """Two faults may end in the same instant: opening and closing wait for each other."""

    def __repr__(self) -> str:
        state = "silent" if self.is_silent else "open" if self._listener else "refusing"
        return f"<FaultyProxy {self.name} {state}, {len(self._pairs)} connections, {self.latency_seconds:g} s late>"

    @property
    def connections(self) -> int:
        """Connections that stand."""
        return len(self._pairs)

    async def start(self) -> None:
        """Listen; on the same port as before when it had one."""
        async with self._door:
            if self._listener is None:
                loop = asyncio.get_running_loop()
                place, self._place = self._place or _bound(self.port), None
                self.port = place.getsockname()[1]
                self._listener = await loop.create_server(self._accept, sock=place, backlog=512)

    def reset(self) -> int:
        """Break all connections with RST, as a crashed host or a strict firewall does; returns how many."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def silence(self) -> None:
        """From now on nothing goes through, and nobody is told."""
        self.is_silent = True

    def delay(self, seconds: float) -> None:
        """Each byte arrives so much later, in either direction."""
        self.latency_seconds = seconds

    async def refuse(self) -> None:
        """New connections are refused; those that stand go on."""
        async with self._door:
            listener, self._listener = self._listener, None
            if listener is not None:
                await _end(listener)
                self._place = _bound(self.port)

    async def resume(self) -> None:
        """Be well again. Connections that were silent are broken: what they swallowed is gone."""
        self.latency_seconds = 0.0
        if self.is_silent:
            self.is_silent = False
            self.reset()
        await self.start()

    async def close(self) -> None:
        """Stop listening and break what stands. Idempotent."""
        await self.refuse()
        if self._place is not None:
            self._place.close()
            self._place = None
        for pair in list(self._pairs):
            pair.reset()
            await pair.ended()

    def _accept(self) -> "_Side":
        pair = _Pair(self, self._server_port)
        self._pairs.add(pair)
        return pair.client

    def forget(self, pair: "_Pair") -> None:
        """A connection ended on both sides."""
        self._pairs.discard(pair)


async def _end(listener: asyncio.Server) -> None:
    """Close it, but not between accepting a connection and taking it over: Python 3.11 loses that socket."""
    loop = asyncio.get_running_loop()
    for place in listener.sockets:
        loop.remove_reader(place.fileno())
    await asyncio.sleep(0)
    listener.close()


def _bound(port: int) -> socket.socket:
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind(("127.0.0.1", port))
    except OSError:
        place.close()
        raise
    return place


class _Pair:
    """The two halves of one proxied connection."""

    def __init__(self, proxy: FaultyProxy, server_port: int) -> None:
        self.proxy = proxy
        self.client = _Side(self)
        self.server = _Side(self)
        self.client.other, self.server.other = self.server, self.client
        self._connecting = asyncio.get_running_loop().create_task(self._connect(server_port))

    def reset(self) -> None:
        """RST to both ends."""
        self._connecting.cancel()
        self.client.reset()
        self.server.reset()
        self.proxy.forget(self)

    def side_ended(self) -> None:
        """One end is gone, so the other goes too, after what is still under way to it."""
        self._connecting.cancel()
        self.client.finish()
        self.server.finish()
        self.proxy.forget(self)

    async def ended(self) -> None:
        """Wait for the task of the pair."""
        with suppress(asyncio.CancelledError):
            await self._connecting

    async def _connect(self, server_port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await loop.create_connection(lambda: self.server, "127.0.0.1", server_port)
        except OSError:  # nobody there, or not in time: TimeoutError is one
            self.client.reset()
            self.proxy.forget(self)


class _Side(asyncio.Protocol):
    """One half: what it receives goes to the other half."""

    other: "_Side"

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._last_due = 0.0
        self._gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._gone:
            self.reset()
            return
        for data in self._early:
            transport.write(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        proxy = self._pair.proxy
        if proxy.is_silent:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + proxy.latency_seconds
        if proxy.latency_seconds == 0 and self._last_due < due:
            self.other.send(data)
            return
        # Later bytes never overtake earlier ones, also when the delay was taken off in between.
        self._last_due = max(due, self._last_due + 1e-6)
        loop.call_at(self._last_due, self.other.send_unless_silent, data)

    def send(self, data: bytes) -> None:
        """Pass on, or keep until there is a connection."""
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def send_unless_silent(self, data: bytes) -> None:
        """Bytes that were under way when the line fell silent are lost with it."""
        if not self._pair.proxy.is_silent:
            self.send(data)

    def pause_writing(self) -> None:
        if self.other._transport is not None:
            self.other._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other._transport is not None:
            self.other._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if self._pair.proxy.is_silent:
            # The other end must not learn of it while nothing goes through.
            return
        self._pair.side_ended()

    def finish(self) -> None:
        """Close after what is still under way."""
        self._gone = True
        if self._transport is None or self._transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        if self.other._last_due > loop.time():
            loop.call_at(self.other._last_due + 1e-6, self._transport.close)
        else:
            self._transport.close()

    def reset(self) -> None:
        """RST."""
        self._gone = True
        if self._transport is None:
            return
        place = self._transport.get_extra_info("socket")
        if place is not None and place.fileno() >= 0:
            with suppress(OSError):
                place.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()
