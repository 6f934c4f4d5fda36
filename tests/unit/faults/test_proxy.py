"""The proxy forwards, and misbehaves exactly as told."""

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.faults.proxy import FaultyProxy
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(20)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionResetError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultyProxy]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    proxy = FaultyProxy("echo", server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.close()
    server.close()
    await server.wait_closed()


class Line:
    """A client's connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def says(self, data: bytes) -> bytes:
        """Send, and what comes back; fails after two seconds."""
        self.writer.write(data)
        async with asyncio.timeout(2):
            return await self.reader.readexactly(len(data))


@asynccontextmanager
async def line_through(proxy: FaultyProxy) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def test_it_forwards_much_in_both_directions(proxy: FaultyProxy):
    data = bytes(range(256)) * 20_000
    async with line_through(proxy) as line:
        assert await line.says(data) == data


async def test_a_reset_reaches_the_client_as_one(proxy: FaultyProxy):
    async with line_through(proxy) as line:
        await line.says(b"x")
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            await line.reader.readexactly(1)
    async with line_through(proxy) as line:
        assert await line.says(b"well") == b"well"


async def test_latency_holds_bytes_back_and_keeps_their_order(proxy: FaultyProxy):
    async with line_through(proxy) as line:
        await line.says(b"x")
        proxy.delay(0.1)
        began = time.monotonic()
        line.writer.write(b"late ")
        await asyncio.sleep(0)
        await eventually(lambda: time.monotonic() - began > 0.02)
        proxy.delay(0.0)
        line.writer.write(b"early")
        async with asyncio.timeout(2):
            assert await line.reader.readexactly(10) == b"late early"
        assert time.monotonic() - began >= 0.1


async def test_a_half_open_connection_says_nothing_until_it_is_over(proxy: FaultyProxy):
    async with line_through(proxy) as line:
        await line.says(b"x")
        proxy.silence()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await line.says(b"anybody?")
        async with line_through(proxy) as newcomer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await newcomer.says(b"hello?")
            await proxy.resume()
            for silent in (line, newcomer):
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await silent.reader.readexactly(1)
    async with line_through(proxy) as line:
        assert await line.says(b"well") == b"well"


async def test_refusing_leaves_what_stands_and_keeps_its_port(proxy: FaultyProxy):
    async with line_through(proxy) as line:
        await line.says(b"x")
        port = proxy.port
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        assert await line.says(b"still here") == b"still here"
        await proxy.resume()
        assert proxy.port == port
        async with line_through(proxy) as newcomer:
            assert await newcomer.says(b"in") == b"in"


async def test_faults_that_end_in_the_same_instant_open_the_door_once(proxy: FaultyProxy):
    for _ in range(20):
        await proxy.refuse()
        await asyncio.gather(proxy.resume(), proxy.resume(), proxy.resume())
        async with line_through(proxy) as line:
            assert await line.says(b"in") == b"in"


async def test_a_server_that_is_away_shows_as_a_reset(proxy: FaultyProxy, unused_tcp_port: int):
    lonely = FaultyProxy("nobody", unused_tcp_port)
    await lonely.start()
    async with line_through(lonely) as line:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await line.reader.readexactly(1)
    await lonely.close()
    assert lonely.connections == 0


async def test_an_end_on_one_side_ends_the_other(proxy: FaultyProxy):
    async with line_through(proxy) as line:
        await line.says(b"x")
        assert proxy.connections == 1
    await eventually(lambda: proxy.connections == 0)


async def test_a_connection_that_is_just_being_taken_over_is_not_lost_by_refusing(proxy: FaultyProxy):
    with socket.create_connection(("127.0.0.1", proxy.port)):
        # One turn of the loop finds it, the next would take it over.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await proxy.refuse()
        gc.collect()
        assert proxy.connections == 1
