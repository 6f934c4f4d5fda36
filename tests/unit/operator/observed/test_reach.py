"""Servers of a list: one that answers is enough."""

import asyncio

import pytest

from aicompany_operator.servers.errors import ServerUnreachable
from aicompany_operator.servers.probes import _places_of, reach


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("postgresql://u:p@a:5433,b/db", [("a", 5433), ("b", 5432)]),
        ("postgres://u:p,q@[::1]:1,[::2]:2/db?target_session_attrs=any", [("::1", 1), ("::2", 2)]),
        ("postgres://u:p@a:1,[::2]:2/db", [("a", 1), ("::2", 2)]),
        (" amqps://u:p@host/v\n", [("host", 5671)]),
        ("postgresql://u:p@a:1,:2/db", []),
        ("postgresql://u:p@a:1,b:x/db", []),
        ("postgresql://u:p/s3cret@a:1,b:2/db", []),
        # A broker's client reads no list.
        ("amqp://u:p@a:1,b:2/v", []),
    ],
)
def test_hosts_and_ports(url, places):
    assert _places_of(url) == places


async def listening():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_any_of_several_hosts_is_enough_and_without_one_all_are_named():
    gone, away = await listening()
    gone.close()
    await gone.wait_closed()
    server, port = await listening()
    async with server:
        for places in (f"127.0.0.1:{port},127.0.0.1:{away}", f"127.0.0.1:{away},127.0.0.1:{port}"):
            await reach(f"postgresql://u:s3cret@{places}/db")
    with pytest.raises(ServerUnreachable) as caught:
        await reach(f"postgresql://u:s3cret@127.0.0.1:{away},127.0.0.1:{port}/db")
    assert f"127.0.0.1:{away} (ConnectionRefusedError), 127.0.0.1:{port} (" in str(caught.value)
    assert "s3cret" not in str(caught.value)
